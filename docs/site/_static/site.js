// Draws the figures that a page holds as data, in the reader's colours and width; filters claims.
(function () {
  "use strict";
  const NARROW = 600;
  const PICTURE = 640;
  const DARK = {
    "#000000": "#f0f0f0", "#2a3f5f": "#d0d4da", "#EBF0F8": "#3a3f47", white: "rgba(0,0,0,0)",
    "#0072B2": "#4aa8e0", "rgba(255,255,255,0.7)": "rgba(20,24,30,0.6)",
  };
  const KEEP = new Set(["colorscale", "text", "z", "bdata"]);

  const isDark = () => document.documentElement.dataset.theme === "dark";

  function recoloured(value, colours) {
    if (typeof value === "string") return colours[value] ?? value;
    if (Array.isArray(value)) return value.map((item) => recoloured(item, colours));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(
      ([name, item]) => [name, KEEP.has(name) ? item : recoloured(item, colours)]));
  }

  // A title's lines as short as the page is narrow; what it marks up stays on lines of its own.
  function wrapped(text, width, size) {
    const room = Math.max(16, Math.floor(width / (0.53 * size)));
    return text.split("<br>").map((line) => {
      if (line.includes("<") || line.length <= room) return line;
      const lines = [""];
      for (const word of line.split(" ")) {
        const longer = `${lines.at(-1)} ${word}`.trim();
        if (longer.length <= room) lines[lines.length - 1] = longer;
        else lines.push(word);
      }
      return lines.join("<br>");
    }).join("<br>");
  }

  const axesOf = (layout, letter) => Object.keys(layout).filter((name) =>
    new RegExp(`^${letter}axis[0-9]*$`).test(name));

  // Panels side by side, one under another: each keeps its axes and takes the whole width.
  function stacked(figure, width) {
    const { layout } = figure;
    const panels = axesOf(layout, "x").map((x) => {
      const y = layout[x].anchor?.replace("y", "yaxis") ?? x.replace("x", "y");
      return { x, y, at: layout[x].domain ?? [0, 1], up: layout[y]?.domain ?? [0, 1] };
    }).filter((panel) => layout[panel.y]);
    if (new Set(panels.map((panel) => panel.at[0].toFixed(3))).size < 2) return 0;
    panels.sort((one, other) => other.up[1] - one.up[1] || one.at[0] - other.at[0]);
    const part = 1 / panels.length;
    const square = panels.some((panel) => layout[panel.y].scaleanchor || layout[panel.x].scaleanchor);
    panels.forEach((panel, index) => {
      const top = 1 - index * part;
      const height = part * (square ? 0.86 : 0.72);
      for (const note of layout.annotations ?? []) {
        const middle = (panel.at[0] + panel.at[1]) / 2;
        const above = note.yref === "paper" && Math.abs(note.y - panel.up[1]) < 0.02;
        if (note.xref === "paper" && above && Math.abs(note.x - middle) < 0.02 && !note.moved) {
          Object.assign(note, { x: 0.5, y: top - 0.12 * part, moved: true });
        }
      }
      layout[panel.x].domain = [0, 1];
      layout[panel.y].domain = [top - 0.12 * part - height + 0.12 * part * (square ? 1 : 0), top - 0.12 * part];
      // Beside its neighbour a panel may do without numbers on its axis; alone it may not.
      layout[panel.y].showticklabels = true;
      layout[panel.x].showticklabels = true;
    });
    (layout.annotations ?? []).forEach((note) => delete note.moved);
    return panels.length * (square ? width : 0.75 * width);
  }

  function barsBelow(figure) {
    const below = { orientation: "h", x: 0.5, xanchor: "center", y: 0, yref: "container",
      yanchor: "bottom", len: 0.9, lenmode: "fraction", thickness: 12 };
    const axes = Object.keys(figure.layout).filter((key) => /^coloraxis[0-9]*$/.test(key));
    const owners = [...axes.map((name) => figure.layout[name]), ...figure.data,
      ...figure.data.map((trace) => trace.marker)];
    for (const owner of owners.filter((one) => one?.colorbar)) {
      const title = owner.colorbar.title && { ...owner.colorbar.title, side: "bottom" };
      owner.colorbar = { ...owner.colorbar, ...below, title };
    }
  }

  const hasBar = (figure) => figure.data.some((trace) =>
    (/heatmap|contour/.test(trace.type ?? "") && trace.showscale !== false) || trace.marker?.showscale);

  function fitted(original, width) {
    const figure = structuredClone(original);
    const { layout } = figure;
    const height = layout.height ?? 450;
    delete layout.width;
    Object.assign(layout, { autosize: true, height });
    if (figure.data.length === 0) {
      layout.width = Math.max(width, NARROW); // a drawing scrolls: its words are as wide anywhere
    } else if (width < NARROW) {
      const tall = stacked(figure, width);
      layout.margin = { ...layout.margin, l: 50, r: 12 };
      if (layout.title?.text) {
        const size = layout.title.font?.size ?? 15;
        layout.title = { ...layout.title, text: wrapped(layout.title.text, width - 20, size), font: { size } };
        layout.margin.t = (tall ? 62 : 44) + 22 * layout.title.text.split("<br>").length;
        layout.title.y = undefined;
      }
      layout.legend = { ...layout.legend, orientation: "h", x: 0, y: -0.28, xanchor: "left", yanchor: "top" };
      layout.legend.yref = "paper";
      for (const axis of [...axesOf(layout, "x"), ...axesOf(layout, "y")]) layout[axis].constrain = "domain";
      if (tall) {
        layout.legend.y = -0.12 / (tall / width);
        layout.height = tall + 160;
      }
      if (hasBar(figure)) {
        barsBelow(figure);
        layout.height = (tall || Math.max(width, 300)) + 190;
        layout.margin.b = 130;
      }
    }
    return isDark() ? recoloured(figure, DARK) : figure;
  }

  const read = (element) => (element.figure ??= JSON.parse(element.querySelector("script").textContent));

  async function draw(element) {
    const original = read(element);
    const figure = fitted(original, element.clientWidth);
    await Plotly.newPlot(element, {
      ...figure, config: { responsive: true, displaylogo: false, displayModeBar: "hover" },
    });
    element.style.minHeight = "";
    element.dataset.drawn = isDark() ? "dark" : "light";
    element.dataset.width = element.clientWidth;
  }

  async function picture(element) {
    // Drawn smaller than in its notebook, so that its words can be read on a card.
    const figure = fitted(read(element), PICTURE);
    const height = Math.min(figure.layout.height, 0.8 * PICTURE);
    const source = await Plotly.toImage(figure, { format: "svg", width: PICTURE, height });
    const image = new Image();
    image.className = "dark-light"; // else the theme puts a light ground under it
    image.alt = element.getAttribute("aria-label");
    image.src = source;
    element.querySelector("img")?.remove();
    element.append(image);
    element.dataset.drawn = isDark() ? "dark" : "light";
  }

  const redraw = (element) => (element.matches(".plotly-picture") ? picture(element) : draw(element));

  function figures() {
    const all = [...document.querySelectorAll(".plotly-figure, .plotly-picture")];
    const watch = new IntersectionObserver((entries) => {
      for (const { target, isIntersecting } of entries) {
        if (!isIntersecting) continue;
        watch.unobserve(target);
        redraw(target);
      }
    }, { rootMargin: "600px" });
    all.forEach((element) => watch.observe(element));
    new MutationObserver(() => {
      const drawn = all.filter((element) => element.dataset.drawn);
      drawn.filter((element) => (element.dataset.drawn === "dark") !== isDark()).forEach(redraw);
    }).observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    addEventListener("resize", () => {
      for (const element of all.filter((figure) => figure.dataset.width)) {
        const was = element.dataset.width < NARROW;
        if (was !== element.clientWidth < NARROW) draw(element);
      }
    });
    addEventListener("beforeprint", () => all.filter((element) => !element.dataset.drawn).forEach(redraw));
  }

  function claims() {
    const form = document.querySelector(".claim-filters");
    if (!form) return;
    const rows = [...document.querySelectorAll("tr.claim")];
    const tables = [...document.querySelectorAll("table.claims")];
    const show = () => {
      const { verdict, experiment, words } = form.elements;
      for (const row of rows) {
        const fits = (!verdict.value || row.dataset.verdict === verdict.value)
          && (!experiment.value || row.dataset.experiment === experiment.value)
          && row.textContent.toLowerCase().includes(words.value.toLowerCase());
        row.hidden = !fits;
      }
      tables.forEach((table) => { table.hidden = !table.querySelector("tr.claim:not([hidden])"); });
      const count = rows.filter((row) => !row.hidden).length;
      form.querySelector("output").textContent = `${count} of ${rows.length} claims`;
    };
    form.addEventListener("input", show);
    show();
  }

  function code() {
    const folds = [...document.querySelectorAll("details.above-input, details.hide")];
    if (folds.length < 3) return;
    const button = document.createElement("button");
    button.className = "all-code";
    const name = () => { button.textContent = folds.every((fold) => fold.open) ? "Hide all code" : "Show all code"; };
    button.addEventListener("click", () => {
      const open = !folds.every((fold) => fold.open);
      folds.forEach((fold) => { fold.open = open; });
      name();
    });
    name();
    document.querySelector(".bd-article h1")?.before(button);
  }

  figures();
  claims();
  code();
})();
