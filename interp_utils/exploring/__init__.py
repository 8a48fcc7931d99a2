"""A page that plays a training: the measures of each snapshot, side by side."""
