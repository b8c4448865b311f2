'use strict';
/* The page's data stand in <script type="application/json" id="data">, thumbnails as sheets of many in
 * <script type="text/plain" id="sheet-N">: JPEG in base64, read when one of them is first looked at. What
 * the user named (files, classes) is only ever set as text. */
(function () {
  const data = JSON.parse(document.getElementById('data').textContent);
  const decode = (text, Type) => new Type(Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer);
  const xy = decode(data.xy, Float32Array), label = decode(data.label, Int32Array);
  const row = decode(data.row, Float64Array), size = decode(data.size, Uint8Array);
  const map = document.getElementById('map'), canvas = map.querySelector('canvas');
  const context = canvas.getContext('2d'), tip = document.getElementById('tip');
  const hidden = new Set();
  let view = { scale: 1, x: 0, y: 0 }; // a point is at view.x + scale * x, view.y - scale * y
  let lit = null, chosen = -1;         // the class pointed at in the legend, the point under the mouse

  const colorOf = l => data.classes[l] ? data.classes[l].color : data.unknown;

  /* --- the map --- */

  /* All points in the middle, with a margin of a twenty-fifth of the shorter side. */
  function fit() {
    let low = [Infinity, Infinity], high = [-Infinity, -Infinity];
    for (let i = 0; i < xy.length; i++) {
      low[i & 1] = Math.min(low[i & 1], xy[i]);
      high[i & 1] = Math.max(high[i & 1], xy[i]);
    }
    const width = map.clientWidth, height = map.clientHeight, margin = 0.04 * Math.min(width, height);
    const scale = Math.min((width - 2 * margin) / (high[0] - low[0] || 1),
                           (height - 2 * margin) / (high[1] - low[1] || 1));
    view = { scale, fitted: scale, x: (width - scale * (low[0] + high[0])) / 2,
             y: (height + scale * (low[1] + high[1])) / 2 };
  }

  const screenX = i => view.x + view.scale * xy[2 * i], screenY = i => view.y - view.scale * xy[2 * i + 1];

  /* From some 5 pixels for a hundred points to 1.5 for twenty thousand; larger when zoomed in. */
  function radius() {
    const plain = Math.min(5, Math.max(1.5, 24 * Math.pow(data.count, -0.28)));
    return Math.min(9, plain * Math.pow(view.scale / view.fitted, 0.4));
  }

  function draw() {
    const ratio = window.devicePixelRatio || 1, width = map.clientWidth, height = map.clientHeight;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    const r = radius();
    for (let i = 0; i < data.count; i++) {
      const x = screenX(i), y = screenY(i);
      if (hidden.has(label[i]) || x < -r || y < -r || x > width + r || y > height + r) continue;
      context.globalAlpha = lit === null || lit === label[i] ? 0.75 : 0.06;
      context.fillStyle = colorOf(label[i]);
      context.beginPath();
      context.arc(x, y, r, 0, 2 * Math.PI);
      context.fill();
    }
    if (chosen < 0) return;
    context.globalAlpha = 1;
    context.lineWidth = 2;
    context.strokeStyle = getComputedStyle(document.body).color;
    context.beginPath();
    context.arc(screenX(chosen), screenY(chosen), r + 3, 0, 2 * Math.PI);
    context.stroke();
  }

  let waiting = false;
  function redraw() {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => { waiting = false; draw(); });
  }

  /* --- what is under the mouse --- */

  function nearest(x, y) {
    let best = -1, least = (radius() + 8) ** 2;
    for (let i = 0; i < data.count; i++) {
      if (hidden.has(label[i])) continue;
      const distance = (screenX(i) - x) ** 2 + (screenY(i) - y) ** 2;
      if (distance <= least) { least = distance; best = i; }
    }
    return best;
  }

  const sheets = new Map();
  function sheet(number) {
    if (!sheets.has(number)) {
      const image = new Image();
      image.src = 'data:image/jpeg;base64,' + document.getElementById('sheet-' + number).textContent;
      sheets.set(number, image);
    }
    return sheets.get(number);
  }

  function showThumbnail(i, into) {
    const width = size[2 * i], height = size[2 * i + 1];
    into.hidden = !width;
    into.width = width; // which clears it
    into.height = height;
    if (!width) return;
    const zoom = 160 / Math.max(width, height);
    into.style.width = Math.round(zoom * width) + 'px';
    into.style.height = Math.round(zoom * height) + 'px';
    into.className = Math.max(width, height) <= 40 ? 'small' : '';
    const image = sheet(Math.floor(i / data.perSheet)), place = i % data.perSheet;
    const cell = data.cell[Math.floor(i / data.perSheet)];
    const left = cell * (place % data.perRow), top = cell * Math.floor(place / data.perRow);
    image.decode().then(() => {
      if (chosen === i) into.getContext('2d').drawImage(image, left, top, width, height, 0, 0, width, height);
    });
  }

  function choose(i) {
    if (i === chosen) return;
    chosen = i;
    tip.classList.toggle('shown', i >= 0);
    redraw();
    if (i < 0) return;
    const known = data.classes[label[i]];
    showThumbnail(i, tip.querySelector('canvas'));
    tip.querySelector('.name').textContent = data.names ? data.names[i] : 'row ' + row[i];
    tip.querySelector('.class').textContent = known ? known.name : data.classes.length ? 'no label' : '';
    const x = screenX(i), y = screenY(i), gap = 16;
    const left = x + gap + tip.offsetWidth < map.clientWidth ? x + gap : x - gap - tip.offsetWidth;
    const top = Math.min(Math.max(y - tip.offsetHeight / 2, 4), map.clientHeight - tip.offsetHeight - 4);
    tip.style.left = Math.max(left, 4) + 'px';
    tip.style.top = Math.max(top, 4) + 'px';
  }

  /* --- mouse, wheel and fingers --- */

  const held = new Map(); // pointers that are down
  const at = event => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  function zoom(x, y, factor) {
    const scale = Math.min(Math.max(view.scale * factor, view.fitted / 4), view.fitted * 2000);
    const by = scale / view.scale;
    view = { ...view, scale, x: x - by * (x - view.x), y: y - by * (y - view.y) };
    choose(-1);
    redraw();
  }

  canvas.addEventListener('pointerdown', event => {
    canvas.setPointerCapture(event.pointerId);
    held.set(event.pointerId, at(event));
  });
  canvas.addEventListener('pointermove', event => {
    const now = at(event), before = held.get(event.pointerId);
    if (!before) return choose(nearest(now.x, now.y));
    const other = [...held].filter(([id]) => id !== event.pointerId).map(([, place]) => place)[0];
    held.set(event.pointerId, now);
    if (other) {
      const spread = place => Math.hypot(place.x - other.x, place.y - other.y);
      return zoom((now.x + other.x) / 2, (now.y + other.y) / 2, spread(now) / (spread(before) || 1));
    }
    if (now.x === before.x && now.y === before.y) return undefined;
    map.classList.add('moving');
    view = { ...view, x: view.x + now.x - before.x, y: view.y + now.y - before.y };
    choose(-1);
    return redraw();
  });
  for (const name of ['pointerup', 'pointercancel'])
    canvas.addEventListener(name, event => {
      held.delete(event.pointerId);
      map.classList.remove('moving');
      if (name === 'pointerup') choose(nearest(at(event).x, at(event).y)); // a finger has no hover
    });
  canvas.addEventListener('pointerleave', () => choose(-1));
  canvas.addEventListener('wheel', event => {
    event.preventDefault();
    zoom(at(event).x, at(event).y, Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)));
  }, { passive: false });
  canvas.addEventListener('dblclick', () => { fit(); redraw(); });

  /* --- legend --- */

  function addClass(number, known, count) {
    const item = document.createElement('li'), button = document.createElement('button');
    const mark = document.createElement('i'), name = document.createElement('bdi'), many = document.createElement('small');
    mark.style.background = known.color;
    name.textContent = known.name;
    many.textContent = count.toLocaleString('en');
    button.setAttribute('aria-pressed', 'true');
    button.append(mark, name, many);
    button.addEventListener('click', () => {
      if (!hidden.delete(number)) hidden.add(number);
      button.setAttribute('aria-pressed', String(!hidden.has(number)));
      redraw();
    });
    button.addEventListener('pointerenter', () => { lit = number; redraw(); });
    button.addEventListener('pointerleave', () => { lit = null; redraw(); });
    item.append(button);
    document.getElementById('legend').append(item);
  }

  const counts = new Map();
  for (const l of label) counts.set(l, (counts.get(l) || 0) + 1);
  data.classes.forEach((known, number) => { if (counts.has(number)) addClass(number, known, counts.get(number)); });
  if (data.classes.length && counts.has(-1)) addClass(-1, { name: 'no label', color: data.unknown }, counts.get(-1));

  window.addEventListener('resize', () => { fit(); redraw(); });
  fit();
  draw();
})();
