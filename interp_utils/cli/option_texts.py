"""What the help says of tasks and options, where their own docstrings do not say it."""

EXAMPLES = {
    "modular_addition": "--p 53 --frac-train 0.5 --lr 3e-3 --steps 2000",
    "exponentiated_addition": "--p 53 --a 2 --b 3 --frac-train 0.7 --lr 3e-3 --steps 4000",
    "remainders": (
        "--p 23 --frac-train 0.8 --weight-decay 1 --dropout 0.05 --grokfast ema --lr "
        "3e-3 --steps 3000"
    ),
    "sorting": "--n-values 48 --length 25 --d-model 64 --n-heads 1 --d-head 32 --d-mlp none "
    "--no-positions --batch-size 128 --weight-decay 0 --betas 0.9,0.999 "
    "--warmup-steps 0 --steps 50000",
}
DURATIONS = {
    "modular_addition": "half a minute",
    "sorting": "a quarter of an hour",
}  # of the examples, on two cores
HELP = {
    ("task", "p"): "the modulus",
    ("task", "frac_train"): "fraction of the inputs for training, in (0, 1]",
    ("task", "seed"): "which inputs are for training; the initial weights have a --model-seed",
    ("task", "split"): "whose code draws the split from the seed: ours, or a published run's",
    (
        "modular_addition",
        "seed",
    ): "which inputs are for training, none for the split's published seed; initial weights have "
    "a --model-seed",
    ("sorting", "seed"): "which lists are drawn; the initial weights have a --model-seed",
    ("fresh_primality", "seed"): "which numbers are drawn; the initial weights have a --model-seed",
    ("gcd", "seed"): "which pairs are drawn; the initial weights have a --model-seed",
    ("gcd", "largest"): "operands are 1 .. largest",
    ("gcd", "operands"): "how likely each operand is",
    ("gcd", "uniform_gcds"): "share of training pairs drawn by a gcd that is uniform",
    ("gcd", "width"): "digits of every number; none for those of the largest",
    ("gcd", "separators"): "numbers without zeros in front, a separator before each",
    ("gcd", "n_pairs"): "as many fixed training pairs; none for fresh ones at every step",
    ("gcd", "n_gcds"): "gcds of the stratified test set are 1 .. n_gcds",
    ("gcd", "per_gcd"): "pairs with each of them",
    ("integer_sequences", "n_terms"): "terms of each sequence",
    ("integer_sequences", "limit"): "terms are -limit .. limit",
    (
        "integer_sequences",
        "seed",
    ): "which rules are held out, and what is drawn; the initial weights have a --model-seed",
    ("primality", "n"): "the numbers are 1 .. n",
    ("primality", "split"): "at random from that seed, or the first numbers",
    ("prime_rows", "split"): "at random from that seed, or the first rows",
    ("prime_rows", "width"): "digits of a number, the last one included",
    ("task", "base"): "of the digits",
    ("task", "limit"): "the numbers are 1 .. limit - 1",
    ("task", "n_values"): "the numbers are 0 .. n_values - 1",
    ("task", "length"): "numbers in a list, or the fewest and the most: 25 or 1,100",
    ("task", "repeats"): "whether a number may occur more than once in a list",
    ("task", "n_validation"): "inputs that the log's held-out numbers are measured on",
    ("task", "n_test"): "inputs that only `measure` reads",
    ("model", "d_model"): "width of the residual stream",
    ("model", "n_heads"): "attention heads in each layer",
    ("model", "d_head"): "width of each head",
    ("model", "d_mlp"): "neurons in each layer; none for attention only",
    ("model", "n_layers"): "layers; the fast forward is for one",
    ("model", "act_fn"): "the neurons' activation function",
    ("model", "positions"): "positional embeddings",
    ("model", "seed"): "of the initial weights; the task has a --seed of its own",
    ("training", "steps"): "updates in all",
    (
        "training",
        "batch_size",
    ): "inputs per step; none for all training inputs, of a task that does not draw them",
    ("training", "lr"): "learning rate",
    ("training", "weight_decay"): "of AdamW, decoupled; of Adam, an L2 penalty",
    ("training", "betas"): "of AdamW and Adam",
    ("training", "eps"): "of AdamW and Adam",
    ("training", "warmup_steps"): "updates over which the learning rate rises to --lr",
}
