/* Explorers: figures with a slider through frames that were computed when the page was made.

   l2o_core/explorer.py writes the frames, book/staging.py puts them as JSON behind the static picture of the
   first one, and this script replaces that picture; without it the picture stays. Text of the data becomes
   text nodes and attribute values only, never markup. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /* ---- axes ---- */

  /** Round numbers between `low` and `high`, about `wanted`, with their texts: powers of 10 on a log axis. */
  function ticks([low, high], log, wanted) {
    const decimal = values => values.map(value => [value, written(value)]);
    if (log) {
      const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
      const found = [];
      if (last > first) {
        const stride = Math.ceil((last - first + 1) / wanted);
        for (let power = first; power <= last; power += stride) {
          found.push([Number(`1e${power}`), `10${raised(power)}`]);
        }
        return found;
      }
      for (let power = first - 1; power <= last; power++) {
        for (const digit of [1, 2, 5]) found.push(Number(`${digit}e${power}`));
      }
      const inside = found.filter(value => value >= low && value <= high);
      if (inside.length > 1) return decimal(inside);
    }
    const least = (high - low) / wanted, power = 10 ** Math.floor(Math.log10(least));
    const step = [1, 2, 5, 10].map(digit => digit * power).find(size => size >= least);
    const found = [];
    for (let i = Math.ceil(low / step); i * step <= high; i++) found.push(i * step);
    return decimal(found);
  }

  const raised = power => [...String(power)].map(c => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c])).join("");

  /** A number as an axis shows it: 0.25, −3, 2×10⁻⁵. */
  function written(value) {
    const rounded = Number(value.toPrecision(10)), size = Math.abs(rounded);
    if (size < 1e-15) return "0";
    if (size >= 1e-3 && size < 1e5) return String(rounded).replace("-", "−");
    const [digits, power] = rounded.toExponential().split("e");
    return `${digits}×`.replace("-", "−").replace(/^(−?)1×$/, "$1") + `10${raised(Number(power))}`;
  }

  /** From values to pixels: `from` at the axis' lower limit, `to` at its upper one. */
  function scale([low, high], log, from, to) {
    const on = log ? Math.log10 : Number;
    return value => from + ((on(value) - on(low)) / (on(high) - on(low))) * (to - from);
  }

  /* ---- curves ---- */

  function path(style, color, points) {
    const round = v => Math.round(10 * v) / 10;
    const step = style === "points" ? p => `M${round(p[0])} ${round(p[1])}h0` // a dot: a round cap, no length
      : (p, i) => `${i ? "L" : "M"}${round(p[0])} ${round(p[1])}`;
    return svg("path", { class: `explorer-${style}`, stroke: color, d: points.map(step).join("") });
  }

  /** The chart of one frame, `width` pixels wide: text keeps its size on every screen. */
  function chart(data, frame, width) {
    const height = Math.round(Math.min(400, Math.max(230, 0.54 * width)));
    const ys = ticks(data.ylim, data.logy, Math.max(3, height / 55));
    const left = 32 + 7.2 * Math.max(...ys.map(([, text]) => text.length)), bottom = height - 44;
    const xs = ticks(data.xlim, data.logx, Math.max(3, (width - left) / 70));
    const x = scale(data.xlim, data.logx, left, width - 12), y = scale(data.ylim, data.logy, bottom, 8);
    const words = frame.curves.map(curve => curve.label).join(", ");
    const whole = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${data.y} against ${data.x}: ${words}`,
    });
    for (const [value, text] of xs) {
      whole.append(svg("line", { class: "explorer-grid", x1: x(value), x2: x(value), y1: 8, y2: bottom }));
      whole.append(svg("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, text));
    }
    for (const [value, text] of ys) {
      whole.append(svg("line", { class: "explorer-grid", x1: left, x2: width - 12, y1: y(value), y2: y(value) }));
      whole.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    whole.append(svg("path", { class: "explorer-axis", d: `M${left} 8V${bottom}H${width - 12}` }));
    const middle = { x: (left + width - 12) / 2, y: (8 + bottom) / 2 };
    whole.append(svg("text", { x: middle.x, y: height - 6, "text-anchor": "middle" }, data.x));
    whole.append(svg("text", { transform: `translate(13 ${middle.y}) rotate(-90)`, "text-anchor": "middle" }, data.y));
    // An inner svg cuts off what lies outside the axes.
    const area = { x: left, y: 8, width: width - 12 - left, height: bottom - 8 };
    const inside = svg("svg", { ...area, viewBox: Object.values(area).join(" ") });
    for (const curve of frame.curves) {
      const [across, up] = [data.arrays[curve.x], data.arrays[curve.y]];
      inside.append(path(curve.style, curve.color, across.map((value, i) => [x(value), y(up[i])])));
    }
    whole.append(inside);
    return whole;
  }

  function legend(curve) {
    const points = curve.style === "points" ? [[6, 6], [14, 6], [22, 6]] : [[1, 6], [27, 6]];
    const swatch = svg("svg", { viewBox: "0 0 28 12", "aria-hidden": "true" }, path(curve.style, curve.color, points));
    return html("li", {}, swatch, curve.label);
  }

  /* ---- equations ---- */

  const loaded = document.readyState === "complete" ? Promise.resolve()
    : new Promise(done => addEventListener("load", done, { once: true }));
  let turn = loaded.then(() => window.MathJax?.startup?.promise); // MathJax takes one equation at a time

  /** A box that shows one equation after another: typeset, or in LaTeX where there is no MathJax. */
  function equationBox() {
    const box = html("div", { class: "explorer-equation", role: "group", "aria-label": "equation" });
    const typeset = new Map(), source = latex => html("code", {}, latex);
    let wanted = null;

    function put(node) {
      box.replaceChildren(node);
      box.removeAttribute("aria-busy");
      box.style.minHeight = `${box.offsetHeight}px`; // what follows does not jump when a shorter one comes
      if (box.scrollWidth > box.clientWidth) box.tabIndex = 0; // so that the arrow keys scroll it
      else box.removeAttribute("tabindex");
    }

    function show(latex) {
      wanted = latex;
      box.hidden = !latex;
      if (!latex || typeset.has(latex)) return put(typeset.get(latex) ?? "");
      box.setAttribute("aria-busy", "true");
      if (!box.hasChildNodes()) box.append(source(latex));
      const work = async () => {
        if (wanted !== latex) return; // the slider has moved on
        const node = await MathJax.tex2chtmlPromise(latex, MathJax.getMetricsFor(box, true));
        typeset.set(latex, node);
        MathJax.startup.document.clear();
        MathJax.startup.document.updateDocument(); // the style sheet learns the new glyphs
      };
      turn = turn.then(work).catch(() => {}).then(() => {
        if (wanted === latex) put(typeset.get(latex) ?? source(latex));
      });
    }
    return { box, show };
  }

  /* ---- the figure ---- */

  function build(figure, data) {
    const id = part => `${figure.id}-${part}`;
    const select = html("select", { id: id("choice") },
      ...data.groups.map((group, i) => html("option", { value: i }, group.label)));
    const slider = html("input", { type: "range", id: id("slider"), min: 0, step: 1 });
    const label = html("span", { class: "explorer-label", "aria-hidden": "true" }); // the slider says it too
    const controls = html("div", { class: "explorer-controls" });
    const control = (name, input, ...after) => controls.append(
      html("div", { class: "explorer-control" }, html("label", { for: input.id }, name), input, ...after));
    if (data.groups.length > 1) control(data.choice, select);
    control(data.control, slider, label);
    const facts = html("dl", { class: "explorer-facts", "aria-live": "polite", "aria-atomic": "true" });
    const names = html("ul", { class: "explorer-legend" });
    const plot = html("div", { class: "explorer-chart" });
    const equation = equationBox();
    let frame, width = 0;

    const draw = () => width && plot.replaceChildren(chart(data, frame, width));

    function move() {
      frame = data.groups[select.value].frames[slider.value];
      slider.setAttribute("aria-valuetext", frame.label);
      label.textContent = frame.label;
      facts.replaceChildren(...frame.facts.map(([name, value]) =>
        html("div", {}, html("dt", {}, name), " ", html("dd", {}, value))));
      names.replaceChildren(...frame.curves.map(legend));
      equation.show(frame.latex);
      draw();
    }

    function choose() {
      slider.max = data.groups[select.value].frames.length - 1; // the position stays, if there is such a frame
      slider.disabled = slider.max === "0";
      move();
    }

    select.addEventListener("change", choose);
    slider.addEventListener("input", move);
    figure.replaceChildren(
      html("div", { class: "l2o-explorer" }, controls, facts, names, plot, equation.box),
      ...figure.querySelectorAll("figcaption"),
    );
    slider.max = data.start; // a slider takes no value beyond its end
    slider.value = data.start;
    choose();
    new ResizeObserver(() => {
      if (width === plot.clientWidth) return;
      width = plot.clientWidth;
      equation.box.style.minHeight = "";
      draw();
    }).observe(plot);
  }

  for (const script of document.querySelectorAll("script.l2o-frames")) {
    build(script.previousElementSibling, JSON.parse(script.textContent));
  }
})();
