(async function () {
  "use strict";
  const $ = (id) => document.getElementById(id);
  const about = JSON.parse($("about").textContent);
  const { p, keys, steps, places } = about;

  await plotlyReady;

  // name -> {shape, values}: "step ..." row-major. Colours come as differences from step to step.
  const data = {};
  const buffer = await unpacked("blob");
  for (const [name, { shape, at, kind, scale }] of Object.entries(places)) {
    const size = shape.reduce((one, other) => one * other, 1);
    if (kind === "float") {
      data[name] = { shape, values: new Float32Array(buffer.slice(at, at + 4 * size)) };
      continue;
    }
    const values = new Uint8Array(buffer, at, size);
    const each = size / shape[0];
    for (let index = each; index < size; index++) values[index] += values[index - each];
    const scales = new Float32Array(buffer.slice(scale, scale + 8 * shape[0] * shape[1]));
    data[name] = { shape, values, scales };
  }

  // The last axes of an array at the first ones' indices.
  function at(name, ...where) {
    const { shape, values, scales } = data[name];
    const size = shape.slice(where.length).reduce((one, other) => one * other, 1);
    let start = 0;
    where.forEach((index, axis) => { start = start * shape[axis] + index; });
    const part = values.subarray(start * size, (start + 1) * size);
    if (!scales) return part;
    const [low, step] = scales.subarray(2 * start, 2 * start + 2);
    return Float32Array.from(part, (value) => low + step * value);
  }
  const square = (flat) => Array.from({ length: p }, (_, row) => flat.subarray(row * p, (row + 1) * p));
  const largest = (values) => values.reduce((one, other) => Math.max(one, other), 0);

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const COLOURS = ["#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00"];
  // Cyclic, and as light everywhere: a token's place on the circle.
  const TURN = ["#c0607d", "#b8702f", "#7f8c2a", "#2f9a66", "#2b93b0", "#7478c4", "#c0607d"]
    .map((name, index) => [index / 6, name]);
  const colour = (k) => (keys.includes(k) ? COLOURS[keys.indexOf(k) % COLOURS.length] : style("--line"));

  const axis = (title, more) => ({
    title: { text: title, standoff: 4, font: { size: 11 } }, gridcolor: style("--line"), zerolinecolor: style("--line"),
    linecolor: style("--line"), tickfont: { size: 10 }, automargin: true, fixedrange: true, ...more,
  });
  const layout = (x, y, more) => ({
    margin: { l: 44, r: 8, t: 6, b: 32 }, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    font: { color: style("--ink"), size: 11 }, xaxis: x, yaxis: y, showlegend: false, ...more,
  });
  const config = { displayModeBar: false, responsive: true };
  const legend = { showlegend: true, legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0, font: { size: 10 } },
    margin: { l: 44, r: 8, t: 24, b: 32 } };

  const frequencies = Array.from({ length: data.logits.shape[1] }, (_, index) => index);
  const chosen = { circle: 0, neuron: 0, head: 0, step: 0 };
  const cursor = () => [{ type: "line", x0: steps[chosen.step], x1: steps[chosen.step], y0: 0, y1: 1, yref: "paper",
    line: { color: style("--ink"), width: 1.5, dash: "dot" } }];

  function line(x, y, name, color, more) {
    return { x, y, name, type: "scatter", mode: "lines", line: { color, width: 1.8 }, ...more };
  }

  function spectrum(id, name, ...where) {
    const most = largest(data[name].values);
    const bars = { type: "bar", x: frequencies, y: at(name, ...where), marker: { color: frequencies.map(colour) },
      hovertemplate: "frequency %{x}: %{y:.3f}<extra></extra>" };
    const height = axis("share", { range: [0, Math.min(1, 1.05 * most) || 1] });
    const k = axis("frequency k", { range: [0.5, frequencies.length - 0.5] }); // 0 is the constant
    return Plotly.newPlot(id, [bars], layout(k, height, { bargap: 0.15 }), config);
  }

  function heat(id, name, flat, bounds) {
    const trace = { type: "heatmap", z: square(flat), ...bounds, colorscale: "Viridis",
      colorbar: { thickness: 8, len: 1, tickfont: { size: 9 }, outlinewidth: 0 },
      hovertemplate: `a %{y}, b %{x}: %{z:.3g}<extra></extra>` };
    const y = axis("a", { autorange: "reversed", scaleanchor: "x", constrain: "domain", showgrid: false });
    return Plotly.newPlot(id, [trace], layout(axis("b", { constrain: "domain", showgrid: false }), y), config);
  }

  function circlePoints() {
    const flat = at("circles", chosen.step, chosen.circle);
    const points = Array.from({ length: p }, (_, n) => n);
    return { x: points.map((n) => flat[2 * n]), y: points.map((n) => flat[2 * n + 1]), points };
  }

  function drawCircle() {
    const k = keys[chosen.circle];
    const { x, y, points } = circlePoints();
    const reach = 1.05 * steps.reduce((most, _, step) =>
      Math.max(most, largest(at("circles", step, chosen.circle).map(Math.abs))), 0);
    const turn = points.map((n) => (k * n) % p);
    const trace = { type: "scatter", mode: "markers", x, y, customdata: points, hovertemplate: "token %{customdata}<extra></extra>",
      marker: { size: 6, color: turn, colorscale: TURN, cmin: 0, cmax: p, showscale: false } };
    const bounds = { range: [-reach, reach], showticklabels: false, constrain: "domain" };
    return Plotly.newPlot("circles", [trace], layout(axis("", bounds), axis("", { ...bounds, scaleanchor: "x" }),
      { margin: { l: 8, r: 8, t: 6, b: 8 } }), config);
  }

  function drawNeuron() {
    if (!about.neurons.length) return [];
    return [heat("grid", "neurons", at("neurons", chosen.step, chosen.neuron), {}),
      spectrum("spectrum", "neuron_shares", chosen.step, chosen.neuron)];
  }
  const drawHead = () => heat("attention", "attention", at("attention", chosen.step, chosen.head), { zmin: 0, zmax: 1 });

  function drawAll() {
    const { curves } = about;
    const lines = [];
    if (curves.train_loss) lines.push(line(curves.step, curves.train_loss, "train", COLOURS[0]));
    if (curves.test_loss) lines.push(line(curves.step, curves.test_loss, "test", COLOURS[1]));
    lines.push(line(steps, at("restricted"), "restricted (all pairs)", COLOURS[2], { line: { color: COLOURS[2], dash: "dash" } }));
    lines.push(line(steps, at("excluded"), "excluded (train)", COLOURS[3], { line: { color: COLOURS[3], dash: "dash" } }));
    const race = keys.map((k) => line(steps, steps.map((_, step) => at("logits", step)[k]), `k = ${k}`, colour(k),
      { mode: "lines+markers", marker: { size: 3 } }));
    return Promise.all([
      Plotly.newPlot("losses", lines, layout(axis("training step"),
        axis("", { type: "log", exponentformat: "power", nticks: 6 }), { ...legend, shapes: cursor() }), config),
      Plotly.newPlot("race", race, layout(axis("training step"), axis("share", { rangemode: "tozero" }),
        { ...legend, shapes: cursor() }), config),
      spectrum("logits", "logits", chosen.step),
      spectrum("embedding", "embedding", chosen.step),
      drawCircle(), ...drawNeuron(), drawHead(),
    ]);
  }

  function numbers() {
    $("slider").value = chosen.step;
    $("now").textContent = `step ${steps[chosen.step].toLocaleString("en")}`;
    const shown = (name) => Number(at(name)[chosen.step]).toPrecision(3);
    const accuracy = (100 * at("test_accuracy")[chosen.step]).toFixed(1);
    const winning = keys.filter((k) => at("logits", chosen.step)[k] > 0.05);
    $("numbers").textContent = `test accuracy ${accuracy} % · restricted ${shown("restricted")} · excluded ${shown("excluded")} · `
      + `above 5 % of the logits: ${winning.join(", ") || "none"}`;
  }

  function drawStep() {
    numbers();
    const { step } = chosen;
    const { x, y } = circlePoints();
    const jobs = [
      Plotly.relayout("losses", { shapes: cursor() }),
      Plotly.relayout("race", { shapes: cursor() }),
      Plotly.restyle("logits", { y: [at("logits", step)] }),
      Plotly.restyle("embedding", { y: [at("embedding", step)] }),
      Plotly.restyle("circles", { x: [x], y: [y] }),
      Plotly.restyle("attention", { z: [square(at("attention", step, chosen.head))] }),
    ];
    if (about.neurons.length) {
      jobs.push(Plotly.restyle("grid", { z: [square(at("neurons", step, chosen.neuron))] }));
      jobs.push(Plotly.restyle("spectrum", { y: [at("neuron_shares", step, chosen.neuron)] }));
    }
    return Promise.all(jobs);
  }

  // However fast the slider moves, one step is drawn at a time, and the last one is.
  let drawing = null;
  let wanted = false;
  async function go(step) {
    chosen.step = Math.max(0, Math.min(steps.length - 1, step));
    wanted = true;
    if (drawing) return drawing;
    drawing = (async () => {
      while (wanted) {
        wanted = false;
        await drawStep();
        await new Promise(requestAnimationFrame);
      }
      drawing = null;
      document.body.dataset.step = steps[chosen.step];
    })();
    return drawing;
  }

  let playing = null;
  function play(on) {
    clearTimeout(playing);
    playing = null;
    $("play").textContent = on ? "❚❚ pause" : "▶ play";
    if (!on) return;
    if (chosen.step === steps.length - 1) chosen.step = -1;
    const next = async () => {
      await go(chosen.step + 1);
      if (playing === null) return;
      if (chosen.step === steps.length - 1) play(false);
      else playing = setTimeout(next, 120);
    };
    playing = setTimeout(next, 0);
  }

  function fill(id, names, draw) {
    const select = $(id);
    names.forEach((name, index) => select.add(new Option(name, index)));
    select.addEventListener("change", () => { chosen[id] = Number(select.value); draw(); select.blur(); });
    return () => {
      select.value = (Number(select.value) + 1) % Math.max(1, names.length);
      select.dispatchEvent(new Event("change"));
    };
  }
  const circles = data.circles.shape[1];
  const next = {
    c: fill("circle", keys.slice(0, circles).map((k) => `frequency ${k}`), drawCircle),
    n: fill("neuron", about.neurons.map((neuron) => `neuron ${neuron}`), drawNeuron),
    h: fill("head", about.heads.map((head) => `head ${head}`), drawHead),
  };
  if (!about.neurons.length) document.querySelectorAll("[data-needs=neurons]").forEach((one) => one.remove());
  if (!about.found) $("race-title").textContent = "No key frequencies: the largest, as shares of the logits' variance";

  $("slider").max = steps.length - 1;
  $("slider").addEventListener("input", () => { play(false); go(Number($("slider").value)); });
  $("play").addEventListener("click", () => play(playing === null));
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.tagName === "SELECT") return;
    const keysOf = {
      " ": () => play(playing === null), ArrowRight: () => go(chosen.step + 1), ArrowLeft: () => go(chosen.step - 1),
      Home: () => go(0), End: () => go(steps.length - 1), c: next.c, n: next.n, h: next.h,
    };
    const act = keysOf[event.key];
    if (!act) return;
    event.preventDefault();
    if (event.key !== " " && event.key.length > 1) play(false);
    act();
  });

  chosen.step = steps.length - 1;
  numbers();
  await drawAll();
  for (const id of ["losses", "race"]) {
    $(id).on("plotly_click", ({ points }) => {
      const nearest = steps.reduce((best, step, index) =>
        (Math.abs(step - points[0].x) < Math.abs(steps[best] - points[0].x) ? index : best), 0);
      play(false);
      go(nearest);
    });
  }
  dark.addEventListener("change", drawAll);
  document.body.dataset.step = steps[chosen.step];
  document.body.dataset.ready = "yes";
})();
