"use strict";
(() => {
  const claims = JSON.parse(document.getElementById("data").textContent);
  const byId = new Map(claims.map((c) => [c.id, c]));
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  for (const c of claims) {
    c.known = c.parents.filter((p) => byId.has(p) && p !== c.id);
    c.children = [];
    c.row = null;
  }
  for (const c of claims) for (const p of c.known) byId.get(p).children.push(c.id);
  for (const row of $$("tr[data-id]")) byId.get(row.dataset.id).row = row;
  const encoded = claims.filter((c) => c.encoded).length;

  // ---- state lives in the address, so that every view can be linked and "back" works
  const FIELDS = ["claim", "view", "scope", "paper", "kind", "check", "verdict", "q", "all"];
  const read = () => {
    const state = {};
    for (const part of location.hash.slice(1).split("&")) {
      const at = part.indexOf("=");
      if (at < 1 || !FIELDS.includes(part.slice(0, at))) continue;
      try { state[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1)); } catch { /* not ours */ }
    }
    return state;
  };
  const address = (state) => "#" + FIELDS.filter((k) => state[k])
    .map((k) => `${k}=${encodeURIComponent(state[k]).replace(/%2F/g, "/").replace(/%2C/g, ",")}`).join("&");
  const go = (change, keep = true) => {
    const target = address({ ...read(), ...change });
    if (target === (location.hash || "#")) return;
    if (keep) { location.hash = target; return; }
    try { history.replaceState(null, "", target); } catch { location.replace(target); }
    render();
  };

  const walk = (id, next) => {
    const seen = new Set(), queue = [id];
    while (queue.length) for (const n of next(queue.shift())) {
      if (n !== id && !seen.has(n)) { seen.add(n); queue.push(n); }
    }
    return seen;
  };
  const ancestors = (id) => walk(id, (n) => byId.get(n)?.known ?? []);
  const descendants = (id) => walk(id, (n) => byId.get(n)?.children ?? []);

  // ---- filters
  const verdicts = (state) => new Set((state.verdict || "").split(",").filter(Boolean));
  const filtered = (state) => {
    const wanted = verdicts(state), words = (state.q || "").toLowerCase().split(/\s+/).filter(Boolean);
    const all = state.all || !encoded || wanted.has("open");
    return claims.filter((c) => (all || c.encoded) && (!wanted.size || wanted.has(c.verdict))
      && (!state.paper || c.paper === state.paper) && (!state.kind || c.kind === state.kind)
      && (!state.check || c.check === state.check) && words.every((w) => c.text.includes(w)));
  };

  const element = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const SVG = "http://www.w3.org/2000/svg";
  const draw = (tag, attributes = {}, ...children) => {
    const node = document.createElementNS(SVG, tag);
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  };
  const glyph = (c) => draw("svg", { class: `glyph v-${c.class}`, role: "img", "aria-label": c.verdict },
    draw("use", { href: `#g-${c.class}` }));

  const renderTable = (state, shown) => {
    const visible = new Set(shown), kin = state.claim ? ancestors(state.claim) : new Set();
    for (const c of claims) {
      c.row.hidden = !visible.has(c);
      c.row.classList.toggle("kin", kin.has(c.id));
      if (c.id === state.claim) c.row.setAttribute("aria-current", "true");
      else c.row.removeAttribute("aria-current");
    }
    for (const body of $$("tbody[data-paper]")) {
      const here = shown.filter((c) => c.paper === body.dataset.paper).length;
      body.hidden = !here;
      $(".group span", body).textContent = `${here} ${here === 1 ? "claim" : "claims"}`;
    }
    $(".claims thead").hidden = !shown.length;
    const nothing = $("#nothing");
    nothing.hidden = shown.length > 0;
    if (!shown.length) {
      const hidden = !state.all && filtered({ ...state, all: "1" }).length;
      nothing.textContent = !claims.length ? "This run selected no claims."
        : hidden ? `No encoded claim matches; ${hidden} that nobody has encoded yet ${hidden === 1 ? "does" : "do"}.`
          : "No claim matches these filters.";
    }
  };

  // ---- one claim in focus
  let opened = null, returnTo = 0;
  const renderFocus = (state) => {
    const id = state.claim, detail = $("#detail");
    const changed = id !== opened;
    if (id && !opened) returnTo = scrollY;
    const wasOpen = opened;
    opened = id || null;
    document.body.classList.toggle("focused", Boolean(id));
    $("#summary").hidden = Boolean(id);
    if (!changed) return;
    detail.textContent = "";
    if (!id) {
      if (wasOpen && innerWidth < 1080) scrollTo(0, returnTo);
      if (wasOpen) byId.get(wasOpen)?.row.querySelector("a").focus({ preventScroll: true });
      return;
    }
    const close = element("button", { type: "button", class: "close" }, innerWidth < 1080 ? "All claims" : "Close");
    close.addEventListener("click", () => go({ claim: "", scope: "" }));
    detail.append(close);
    const template = document.getElementById(`claim:${id}`);
    if (!template) {
      detail.append(element("p", { class: "empty" }, `This report has no claim ${id}.`));
      return;
    }
    detail.append(template.content.cloneNode(true));
    const slot = $("[data-lineage]", detail);
    if (slot) lineage(slot, byId.get(id), state);
    for (const pre of $$("pre.copy", detail)) {
      const button = element("button", { type: "button" }, "Copy");
      button.addEventListener("click", async () => {
        const code = $("code", pre);
        getSelection().selectAllChildren(code);
        try { await navigator.clipboard.writeText(code.textContent); button.textContent = "Copied"; } catch { /* it is selected */ }
      });
      pre.append(button);
    }
    $("#focus").scrollTop = 0;
    if (innerWidth < 1080) scrollTo(0, 0);
    else byId.get(id).row.scrollIntoView({ block: "nearest" });
    $("h2", detail).focus({ preventScroll: true });
  };

  const list = (ids) => {
    const items = ids.map((name) => {
      const c = byId.get(name);
      if (!c) return element("li", {}, element("code", {}, name), element("p", {}, "not in this run"));
      return element("li", {}, glyph(c), element("a", { class: "id", href: `#claim=${name}` }, name),
        element("p", { title: c.says }, c.says));
    });
    return element("ul", { class: "lineage" }, ...items);
  };
  const lineage = (slot, c, state) => {
    const near = c.parents.filter((p) => p !== c.id);
    const far = [...ancestors(c.id)].filter((p) => !near.includes(p));
    const title = (text, n) => element("h3", {}, text + " ", element("span", { class: "n" }, String(n)));
    slot.append(title("Rests on", near.length));
    slot.append(near.length ? list(near) : element("p", { class: "meta" }, "Nothing else in its paper."));
    if (far.length) {
      slot.append(element("details", { class: "legend-box" },
        element("summary", {}, `and through these on ${far.length} more`), list(far)));
    }
    if (c.children.length) slot.append(title("Used by", c.children.length), list(c.children));
    if (state.view !== "graph" && (c.known.length || c.children.length)) {
      const button = element("button", { type: "button", class: "textual" }, "Show it in the graph");
      button.style.margin = "0.9rem 0 0";
      button.addEventListener("click", () => go({ view: "graph", scope: "" }));
      slot.append(button);
    }
  };

  // ---- the graph: layers and orders come with the data, gaps are closed here
  const H = 26, DY = 36, GAP = 56, MOST = 600;
  let W = 196, DX = 252;
  let drawn = "", box = null, svg = null;
  const renderGraph = (state, shown) => {
    const focus = byId.get(state.claim);
    const scope = focus && state.scope !== "shown" ? "focus" : "shown";
    for (const b of $$("[data-scope]")) {
      b.setAttribute("aria-pressed", String(b.dataset.scope === scope));
      if (b.dataset.scope === "focus") b.disabled = !focus;
    }
    const part = scope === "focus" ? [focus, ...[...ancestors(focus.id), ...focus.children].map((n) => byId.get(n))] : shown;
    const set = [...new Set(part)], canvas = $("#canvas"), note = $("#nograph");
    note.hidden = true;
    canvas.hidden = false;
    const key = scope + "|" + (scope === "focus" ? focus.id : "") + "|" + set.map((c) => c.id).join();
    if (key !== drawn) {
      drawn = key;
      canvas.textContent = "";
      svg = null;
      if (!set.length || set.length > MOST) {
        canvas.hidden = true;
        note.hidden = false;
        note.textContent = "";
        if (!set.length) note.textContent = "No claim matches these filters.";
        else {
          note.append(element("p", {}, `${set.length} claims are too many to read in one drawing. Take one paper, a verdict, or open a claim:`));
          for (const p of new Set(set.map((c) => c.paper))) {
            const b = element("button", { type: "button", class: "textual" }, p);
            b.addEventListener("click", () => go({ paper: p }));
            note.append(b);
          }
        }
        return;
      }
      paint(canvas, set, scope === "focus" ? focus : null);
    }
    if (!svg) return;
    for (const node of $$(".node", svg)) node.classList.toggle("here", node.dataset.id === state.claim);
    light(scope === "shown" && focus && set.includes(focus) ? focus.id : null);
  };

  const links = (set, whole) => {
    const inside = new Set(set.map((c) => c.id)), edges = [];
    for (const c of set) {
      const direct = new Set(c.known.filter((p) => inside.has(p)));
      for (const p of direct) edges.push([p, c.id, false]);
      if (whole) continue; // around one claim its ancestors are all there
      const found = new Set(), seen = new Set(), stack = c.known.filter((p) => !inside.has(p));
      while (stack.length) {
        const p = stack.pop();
        if (seen.has(p)) continue;
        seen.add(p);
        if (!inside.has(p)) stack.push(...byId.get(p).known);
        else if (!direct.has(p) && p !== c.id) found.add(p);
      }
      const near = [...direct, ...found];
      for (const p of found) { // a dashed edge says nothing when a longer way is drawn as well
        if (!near.some((n) => n !== p && ancestors(n).has(p))) edges.push([p, c.id, true]);
      }
    }
    return edges;
  };

  const arrange = (set, edges) => {
    const joined = new Set(edges.flatMap(([a, b]) => [a, b]));
    const linked = set.filter((c) => joined.has(c.id)), alone = set.filter((c) => !joined.has(c.id));
    const layers = [...new Set(linked.map((c) => c.layer))].sort((a, b) => a - b);
    const columns = layers.map((l) => linked.filter((c) => c.layer === l).sort((a, b) => a.order - b.order));
    const place = new Map(), near = new Map(linked.map((c) => [c.id, []]));
    for (const [a, b] of edges) { near.get(a).push(b); near.get(b).push(a); }
    columns.forEach((column, x) => column.forEach((c, i) => place.set(c.id, { x: x * DX, y: (i - (column.length - 1) / 2) * DY })));
    for (let pass = 0; pass < 12; pass++) {
      for (const column of pass % 2 ? [...columns].reverse() : columns) {
        const wish = column.map((c) => {
          const ys = near.get(c.id).map((n) => place.get(n).y);
          return ys.length ? ys.reduce((a, b) => a + b, 0) / ys.length : place.get(c.id).y;
        });
        const order = column.map((c, i) => [wish[i], i]).sort((a, b) => a[0] - b[0]).map(([, i]) => i);
        const groups = [];
        for (const i of order) { // pool neighbours that would overlap around their common mean
          groups.push({ sum: wish[i], members: [i] });
          for (;;) {
            const b = groups.at(-1), a = groups.at(-2);
            const mid = (g) => g.sum / g.members.length, half = (g) => (g.members.length * DY) / 2;
            if (!a || mid(a) + half(a) <= mid(b) - half(b)) break;
            groups.splice(-2, 2, { sum: a.sum + b.sum, members: [...a.members, ...b.members] });
          }
        }
        for (const g of groups) {
          const mid = g.sum / g.members.length;
          g.members.forEach((i, k) => { place.get(column[i].id).y = mid + (k - (g.members.length - 1) / 2) * DY; });
        }
      }
    }
    const ys = [...place.values()].map((p) => p.y), xs = [...place.values()].map((p) => p.x);
    let bottom = ys.length ? Math.max(...ys) + 2.2 * DY : 0, caption = null;
    const across = Math.max(3, Math.min(6, Math.floor((xs.length ? Math.max(...xs) : 0) / DX) + 1));
    if (alone.length && linked.length) caption = bottom - DY * 0.7;
    alone.forEach((c, i) => place.set(c.id, { x: (i % across) * DX, y: bottom + Math.floor(i / across) * DY }));
    return { place, caption };
  };

  const LONGEST = 28;
  const short = (id, many) => {
    const text = many ? id : id.slice(id.indexOf("/") + 1);
    return text.length > LONGEST ? text.slice(0, LONGEST - 1) + "…" : text;
  };
  const paint = (canvas, set, focus) => {
    const many = new Set(set.map((c) => c.paper)).size > 1;
    W = Math.max(110, ...set.map((c) => 38 + 7.3 * short(c.id, many).length));
    DX = W + GAP;
    const edges = links(set, focus), { place, caption } = arrange(set, edges);
    svg = draw("svg", { role: "group", "aria-label": "Dependency graph", tabindex: "0" });
    for (const [a, b, indirect] of edges) {
      const p = place.get(a), q = place.get(b), x0 = p.x + W, x1 = q.x, bend = Math.max(28, (x1 - x0) / 2);
      svg.append(draw("path", { class: indirect ? "edge indirect" : "edge", "data-from": a, "data-to": b,
        d: `M${x0} ${p.y}C${x0 + bend} ${p.y} ${x1 - bend} ${q.y} ${x1} ${q.y}` }));
    }
    if (caption !== null) svg.append(draw("text", { class: "caption", x: 0, y: caption }, "Without dependencies among those shown"));
    for (const c of [...set].sort((a, b) => a.layer - b.layer || a.order - b.order)) {
      const { x, y } = place.get(c.id);
      svg.append(draw("a", { class: `node v-${c.class}`, "data-id": c.id, href: `#claim=${c.id}`,
        transform: `translate(${x} ${y - H / 2})`, "aria-label": `${c.id}, ${c.verdict}` },
      draw("rect", { class: "box", width: W, height: H, rx: 5 }),
      draw("use", { href: `#g-${c.class}`, x: 7, y: 6, width: 14, height: 14 }),
      draw("text", { x: 28, y: 17 }, short(c.id, many))));
    }
    canvas.append(svg);
    interact(svg, place, focus);
  };

  const light = (id) => {
    svg.classList.toggle("hot", Boolean(id));
    if (!id) { for (const n of $$(".on", svg)) n.classList.remove("on"); return; }
    const up = ancestors(id), down = descendants(id);
    const side = (a, b) => [a, b].every((n) => n === id || up.has(n)) || [a, b].every((n) => n === id || down.has(n));
    for (const n of $$(".node", svg)) n.classList.toggle("on", n.dataset.id === id || up.has(n.dataset.id) || down.has(n.dataset.id));
    for (const e of $$(".edge", svg)) e.classList.toggle("on", side(e.dataset.from, e.dataset.to));
  };

  const interact = (target, place, focus) => {
    const points = [...place.values()];
    const left = Math.min(...points.map((p) => p.x)) - 24, top = Math.min(...points.map((p) => p.y)) - 34;
    const whole = { x: left, y: top, w: Math.max(...points.map((p) => p.x)) + W + 24 - left, h: Math.max(...points.map((p) => p.y)) + 34 - top };
    target.style.height = `${Math.max(200, Math.min(whole.h * 1.15, 1100))}px`;
    const show = () => target.setAttribute("viewBox", `${box.x} ${box.y} ${box.w} ${box.h}`);
    const size = () => { const r = target.getBoundingClientRect(); return { w: r.width || 800, h: r.height || 500, r }; };
    const fit = (readable) => {
      const { w, h } = size();
      let scale = Math.min(w / whole.w, h / whole.h, 1.15);
      const centre = readable && scale < 0.6;
      if (centre) scale = 0.74;
      box = { w: w / scale, h: h / scale };
      const at = centre && focus ? place.get(focus.id) : null;
      box.x = at ? at.x + W / 2 - box.w / 2 : centre ? whole.x : whole.x + (whole.w - box.w) / 2;
      box.y = at ? at.y - box.h / 2 : whole.y + (whole.h - box.h) / 2;
      if (at) box.x = Math.min(box.x, whole.x + Math.max(0, whole.w - box.w));
      show();
    };
    const zoom = (factor, cx, cy) => {
      const { w } = size(), next = box.w * factor;
      if (next < w / 4 || next > Math.max(whole.w, whole.h, w) * 3) return;
      box = { x: cx - (cx - box.x) * factor, y: cy - (cy - box.y) * factor, w: next, h: box.h * factor };
      show();
    };
    const spot = (e) => { const { w, h, r } = size(); return [box.x + ((e.clientX - r.left) / w) * box.w, box.y + ((e.clientY - r.top) / h) * box.h]; };
    target.fit = fit;
    target.zoom = (factor) => zoom(factor, box.x + box.w / 2, box.y + box.h / 2);
    target.addEventListener("wheel", (e) => { if (e.ctrlKey || e.metaKey) { e.preventDefault(); zoom(Math.exp(e.deltaY * 0.0025), ...spot(e)); } }, { passive: false });
    const held = new Map();
    let moved = 0;
    target.addEventListener("pointerdown", (e) => { held.set(e.pointerId, [e.clientX, e.clientY]); moved = 0; });
    target.addEventListener("dragstart", (e) => e.preventDefault());
    addEventListener("pointermove", (e) => {
      if (!held.has(e.pointerId) || target !== svg) return;
      const [x, y] = held.get(e.pointerId), others = [...held].filter(([k]) => k !== e.pointerId);
      held.set(e.pointerId, [e.clientX, e.clientY]);
      moved += Math.abs(e.clientX - x) + Math.abs(e.clientY - y);
      if (others.length) {
        const [ox, oy] = others[0][1];
        zoom(Math.hypot(x - ox, y - oy) / Math.max(1, Math.hypot(e.clientX - ox, e.clientY - oy)), ...spot({ clientX: (e.clientX + ox) / 2, clientY: (e.clientY + oy) / 2 }));
      } else if (moved > 4) {
        const k = box.w / size().w;
        box.x -= (e.clientX - x) * k; box.y -= (e.clientY - y) * k;
        $("#tip").hidden = true;
        show();
      }
    });
    const drop = (e) => held.delete(e.pointerId);
    addEventListener("pointerup", drop);
    addEventListener("pointercancel", drop);
    target.addEventListener("click", (e) => { if (moved > 4) { e.preventDefault(); e.stopPropagation(); } }, true);
    target.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
      if (step) { e.preventDefault(); box.x += step[0] * box.w * 0.12; box.y += step[1] * box.h * 0.12; show(); }
      else if (e.key === "+" || e.key === "=") target.zoom(0.8);
      else if (e.key === "-") target.zoom(1.25);
      else if (e.key === "0") fit(false);
    });
    const tip = $("#tip");
    const enter = (e) => {
      const node = e.target.closest?.(".node");
      if (!node) return;
      const c = byId.get(node.dataset.id), r = node.getBoundingClientRect();
      light(c.id);
      tip.textContent = "";
      tip.append(element("b", {}, c.id), `${c.verdict}: ${c.says}`);
      tip.hidden = false;
      const size = tip.getBoundingClientRect();
      tip.style.left = `${Math.max(8, Math.min(r.left, innerWidth - size.width - 8))}px`;
      tip.style.top = `${r.bottom + 8 + size.height < innerHeight ? r.bottom + 8 : r.top - size.height - 8}px`;
    };
    const leave = () => { tip.hidden = true; const s = read(); light(s.scope === "shown" && place.has(s.claim) ? s.claim : null); };
    target.addEventListener("pointerover", enter);
    target.addEventListener("focusin", enter);
    target.addEventListener("pointerout", leave);
    target.addEventListener("focusout", leave);
    fit(true);
  };

  // ---- everything follows from the address
  const render = () => {
    const state = read(), shown = filtered(state), graph = state.view === "graph";
    document.body.classList.toggle("graphing", graph);
    for (const key of ["paper", "kind", "check"]) $("#" + key).value = state[key] || "";
    if (document.activeElement !== $("#q")) $("#q").value = state.q || "";
    const wanted = verdicts(state);
    for (const chip of $$(".chip")) chip.setAttribute("aria-pressed", String(wanted.has(chip.dataset.verdict)));
    for (const b of $$("[data-view]")) b.setAttribute("aria-pressed", String(b.dataset.view === (graph ? "graph" : "table")));
    $("#count").textContent = `${shown.length} of ${claims.length} claims`;
    const partial = encoded && encoded < claims.length && !wanted.size;
    $("#all").hidden = !partial;
    $("#all").textContent = state.all ? "Only encoded claims" : `Show the ${claims.length - encoded} not encoded`;
    $("#clear").hidden = !(state.paper || state.kind || state.check || state.q || wanted.size);
    $("#table").hidden = graph;
    $("#graph").hidden = !graph;
    $("#tip").hidden = true;
    renderTable(state, shown);
    renderFocus(state);
    if (graph) renderGraph(state, shown);
    document.title = state.claim ? `${state.claim} · eostheory` : `eostheory: ${encoded} of ${claims.length} claims judged`;
  };

  for (const key of ["paper", "kind", "check"]) $("#" + key).addEventListener("change", (e) => go({ [key]: e.target.value }, false));
  $("#q").addEventListener("input", (e) => go({ q: e.target.value.trim() }, false));
  $(".filters").addEventListener("submit", (e) => e.preventDefault());
  $("#clear").addEventListener("click", () => { $("#q").value = ""; go({ paper: "", kind: "", check: "", q: "", verdict: "" }, false); });
  $("#all").addEventListener("click", () => go({ all: read().all ? "" : "1" }, false));
  for (const chip of $$(".chip")) chip.addEventListener("click", () => {
    const wanted = verdicts(read());
    if (!wanted.delete(chip.dataset.verdict)) wanted.add(chip.dataset.verdict);
    go({ verdict: [...wanted].join() }, false);
  });
  for (const b of $$("[data-view]")) b.addEventListener("click", () => go({ view: b.dataset.view === "graph" ? "graph" : "" }));
  for (const b of $$("[data-scope]")) b.addEventListener("click", () => go({ scope: b.dataset.scope === "shown" ? "shown" : "" }, false));
  for (const b of $$("[data-zoom]")) b.addEventListener("click", () => {
    if (svg) ({ in: () => svg.zoom(0.75), out: () => svg.zoom(1.33), fit: () => svg.fit(false) })[b.dataset.zoom]();
  });
  document.addEventListener("click", (e) => {
    if (e.ctrlKey || e.metaKey || e.shiftKey || e.button) return;
    const link = e.target.closest?.('a[href^="#"]'), row = e.target.closest?.("tr[data-id]");
    if (link && "skip" in link.dataset) { e.preventDefault(); $("#browse").focus(); return; }
    if (link) {
      const id = decodeURIComponent(link.getAttribute("href").slice(7));
      e.preventDefault();
      go({ claim: id });
    } else if (row && !String(getSelection())) go({ claim: row.dataset.id });
  });
  document.addEventListener("keydown", (e) => {
    const typing = e.target.matches?.("input, select, textarea");
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey) { e.preventDefault(); $("#q").focus(); }
    else if (e.key === "Escape" && typing) e.target.blur();
    else if (e.key === "Escape" && read().claim) go({ claim: "", scope: "" });
    else if ((e.key === "ArrowDown" || e.key === "ArrowUp") && e.target.matches?.("tr[data-id] a")) {
      e.preventDefault();
      const rows = $$("tr[data-id]:not([hidden]) a").filter((a) => !a.closest("tbody").hidden);
      rows[rows.indexOf(e.target) + (e.key === "ArrowDown" ? 1 : -1)]?.focus();
    }
  });
  addEventListener("hashchange", render);
  addEventListener("resize", () => { if (svg && !$("#graph").hidden) svg.fit(true); });

  const theme = $("#theme"), modes = ["auto", "light", "dark"];
  const paintTheme = (mode) => {
    if (mode === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = mode;
    theme.textContent = { auto: "Auto", light: "Light", dark: "Dark" }[mode];
    theme.setAttribute("aria-label", `Colours: ${{ auto: "automatic", light: "light", dark: "dark" }[mode]}`);
    theme.dataset.mode = mode;
  };
  let saved = "auto";
  try { saved = localStorage.getItem("eostheory-theme") || "auto"; } catch { /* no storage from this file */ }
  paintTheme(modes.includes(saved) ? saved : "auto");
  theme.addEventListener("click", () => {
    const mode = modes[(modes.indexOf(theme.dataset.mode) + 1) % 3];
    paintTheme(mode);
    try { localStorage.setItem("eostheory-theme", mode); } catch { /* no storage from this file */ }
  });
  render();
})();
