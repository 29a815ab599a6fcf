/* Explorers: figures with a slider through frames that were computed when the page was made.

   l2o_book/explorer.py writes the frames, l2o_book/staging.py puts them as JSON behind the static picture of the
   first one, and this script replaces that picture; without it the picture stays. The address of the page
   says what is seen (#fig-front=3: the third position), so it can be sent as a link. Text of the data becomes
   text nodes and attribute values only, never markup. */
"use strict";

(() => {
  const SVG = "http://www.w3.org/2000/svg";
  const HINT = matchMedia("(hover: none)").matches
    ? "Drag the slider. Tap a curve to read its values, tap a name to hide its curve."
    : "Drag the slider, or use the arrow keys. Point at a curve to read its values; click a name to hide it.";

  function fill(element, attributes, children) {
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  }
  const html = (tag, attributes = {}, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes = {}, ...children) =>
    fill(document.createElementNS(SVG, tag), attributes, children);

  /* ---- axes ---- */

  /** Round numbers between `low` and `high`, about `wanted`, at least two, with their texts: powers of 10 on a
      log axis. */
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
    const power = 10 ** Math.floor(Math.log10((high - low) / wanted));
    let found = [];
    for (const digit of [10, 5, 2, 1, 0.5]) { // the finest that is not too fine, but never a single one
      const step = digit * power, finer = [];
      for (let i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) finer.push(i * step);
      if (finer.length > wanted + 1 && found.length > 1) break;
      found = finer;
    }
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

  function path(curve, points) {
    const round = v => Math.round(10 * v) / 10;
    const step = curve.points ? p => `M${round(p[0])} ${round(p[1])}h0` // a dot: a round cap, no length
      : (p, i) => `${i ? "L" : "M"}${round(p[0])} ${round(p[1])}`;
    const drawn = svg("path", { class: curve.points ? "explorer-points" : "explorer-line", d: points.map(step).join("") });
    drawn.style.stroke = curve.color;
    if (curve.dashes.length) drawn.style.strokeDasharray = curve.dashes.map(length => 2 * length).join(" ");
    return drawn;
  }

  /** The chart of one frame, `width` pixels wide: text keeps its size on every screen. `point(x, y)` marks the
      drawn point next to a place and returns it; null where none is near, which unmarks. */
  function chart(data, curves, width) {
    const height = Math.round(Math.min(360, Math.max(230, 0.5 * width))), top = 10;
    const ys = ticks(data.ylim, data.logy, Math.max(3, height / 55));
    const left = 14 + 7.2 * Math.max(...ys.map(([, text]) => text.length)), bottom = height - 24;
    const xs = ticks(data.xlim, data.logx, Math.max(3, (width - left) / 80));
    const right = width - Math.max(12, 3.8 * xs.at(-1)[1].length);
    const x = scale(data.xlim, data.logx, left, right), y = scale(data.ylim, data.logy, bottom, top);
    const words = curves.map(curve => curve.label).join(", ");
    const whole = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${data.y} against ${data.x}: ${words}`,
    });
    for (const [value, text] of xs) {
      whole.append(svg("line", { class: "explorer-grid", x1: x(value), x2: x(value), y1: top, y2: bottom }));
      whole.append(svg("text", { x: x(value), y: bottom + 17, "text-anchor": "middle" }, text));
    }
    for (const [value, text] of ys) {
      whole.append(svg("line", { class: "explorer-grid", x1: left, x2: right, y1: y(value), y2: y(value) }));
      whole.append(svg("text", { x: left - 6, y: y(value) + 4, "text-anchor": "end" }, text));
    }
    whole.append(svg("path", { class: "explorer-axis", d: `M${left} ${top}V${bottom}H${right}` }));
    // An inner svg cuts off what lies outside the axes.
    const area = { x: left, y: top, width: right - left, height: bottom - top };
    const inside = svg("svg", { ...area, viewBox: Object.values(area).join(" ") });
    const places = [];
    for (const curve of curves) {
      const [across, up] = [data.arrays[curve.x], data.arrays[curve.y]];
      const points = across.map((value, i) => [x(value), y(up[i])]);
      inside.append(path(curve, points));
      points.forEach((at, i) => places.push({ curve, at, value: [across[i], up[i]] }));
    }
    const ring = svg("circle", { class: "explorer-ring", r: 5, visibility: "hidden" });
    whole.append(inside, ring);

    function point(px, py) {
      const far = ({ at }) => Math.hypot(at[0] - px, at[1] - py);
      const seen = places.filter(({ at: [a, b] }) => a >= left - 1 && a <= right + 1 && b >= top - 1 && b <= bottom + 1);
      const nearest = seen.reduce((best, place) => (!best || far(place) < far(best) ? place : best), null);
      const found = nearest && far(nearest) < 48 ? nearest : null;
      ring.setAttribute("visibility", found ? "visible" : "hidden");
      if (found) fill(ring, { cx: found.at[0], cy: found.at[1] }, []).style.stroke = found.curve.color;
      return found;
    }
    return { whole, point };
  }

  function legendEntry(curve, shown, toggle) {
    const swatch = svg("svg", { viewBox: "0 0 34 12", "aria-hidden": "true" },
      path(curve, curve.points ? [[6, 6], [17, 6], [28, 6]] : [[1, 6], [33, 6]]));
    const button = html("button", { type: "button", "aria-pressed": shown }, swatch, curve.label);
    button.addEventListener("click", toggle);
    return html("li", {}, button);
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
      mark();
      sizes.disconnect();
      for (const part of [box, ...box.children]) sizes.observe(part);
    }

    /** Say whether the equation is wider than the box, and where more of it is. */
    function mark() {
      const hidden = box.scrollWidth - box.clientWidth, wide = hidden > 1;
      box.classList.toggle("l2o-scrolls", wide);
      box.classList.toggle("l2o-more-left", wide && box.scrollLeft > 1);
      box.classList.toggle("l2o-more-right", box.scrollLeft < hidden - 1);
      if (wide) box.tabIndex = 0; // so that the arrow keys scroll it
      else box.removeAttribute("tabindex");
    }

    const sizes = new ResizeObserver(mark);
    box.addEventListener("scroll", mark, { passive: true });

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
    const readout = html("p", { class: "explorer-readout" });
    const plot = html("div", { class: "explorer-chart" });
    const axis = { y: html("p", { class: "explorer-y" }, data.y), x: html("p", { class: "explorer-x" }, data.x) };
    const equation = equationBox(), hidden = new Set();
    let frame, drawn, width = 0;

    const say = (...words) => readout.replaceChildren(...words);

    function draw() {
      say(HINT);
      if (!width) return;
      drawn = chart(data, frame.curves.filter(curve => !hidden.has(curve.label)), width);
      plot.replaceChildren(drawn.whole);
    }

    function toggle(name) {
      if (!hidden.delete(name)) hidden.add(name);
      const at = [...names.children].indexOf(document.activeElement?.parentElement);
      legend();
      names.children[at]?.firstChild.focus();
      draw();
    }

    function legend() {
      names.replaceChildren(...frame.curves.map(curve =>
        legendEntry(curve, !hidden.has(curve.label), () => toggle(curve.label))));
    }

    function move() {
      frame = data.groups[select.value].frames[slider.value];
      slider.setAttribute("aria-valuetext", frame.label);
      label.textContent = frame.label;
      facts.replaceChildren(...frame.facts.map(([name, value]) =>
        html("div", {}, html("dt", {}, name), " ", html("dd", {}, value))));
      legend();
      equation.show(frame.latex);
      draw();
    }

    function choose() {
      slider.max = data.groups[select.value].frames.length - 1; // the position stays, if there is such a frame
      slider.disabled = slider.max === "0";
      move();
    }

    function remember() {
      const choice = Number(select.value) ? `,${Number(select.value) + 1}` : "";
      history.replaceState(null, "", `#${figure.id}=${Number(slider.value) + 1}${choice}`);
    }

    /** What the address asks of this figure, if anything. */
    function recall() {
      const [, name, position, choice = "1"] = location.hash.match(/^#([\w-]+)=(\d+)(?:,(\d+))?$/) ?? [];
      const group = data.groups[choice - 1];
      if (name !== figure.id || !group?.frames[position - 1]) return;
      select.value = choice - 1;
      slider.max = group.frames.length - 1;
      slider.value = position - 1;
      choose();
      figure.scrollIntoView();
    }

    select.addEventListener("change", () => (choose(), remember()));
    slider.addEventListener("input", () => (move(), remember()));
    addEventListener("hashchange", recall);
    const pointed = event => {
      const { left, top } = plot.getBoundingClientRect(), found = drawn?.point(event.clientX - left, event.clientY - top);
      if (!found) return say(HINT);
      const [a, b] = found.value.map(written);
      say(html("b", {}, found.curve.label), ` ${data.x}: ${a}, ${data.y}: ${b}`);
    };
    plot.addEventListener("pointermove", pointed);
    plot.addEventListener("pointerdown", pointed);
    plot.addEventListener("pointerleave", event => event.pointerType === "mouse" && (drawn?.point(-1e9, 0), say(HINT)));
    figure.replaceChildren(
      html("div", { class: "l2o-explorer" }, controls, facts, names, readout, axis.y, plot, axis.x, equation.box),
      ...figure.querySelectorAll("figcaption"),
    );
    slider.max = data.start; // a slider takes no value beyond its end
    slider.value = data.start;
    choose();
    recall();
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
