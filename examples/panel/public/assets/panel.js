// The panel's script. Every page works without it; it makes them live.
(() => {
  'use strict';

  const $ = (selector, root = document) => root.querySelector(selector);
  const page = document.body.dataset.page;
  const csrf = $('meta[name="csrf"]')?.content ?? '';

  function bytes(count) {
    if (count === null) return 'unknown';
    const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
    let unit = 0;
    for (; count >= 1024 && unit < 4; unit++) count /= 1024;
    return count.toFixed(unit > 0 && count < 100 ? 1 : 0) + ' ' + units[unit];
  }

  function to_login() {
    location.assign('/login?next=' + encodeURIComponent(location.pathname));
  }

  // JSON from the panel. A deadline of its own: a device that was unplugged never answers.
  async function ask(path) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), 10000);
    try {
      const answer = await fetch(path, { headers: { Accept: 'application/json' }, signal: stop.signal, cache: 'no-store' });
      if (answer.status === 401) {
        to_login();
        return new Promise(() => {});
      }
      if (!answer.ok) throw new Error('status ' + answer.status);
      return await answer.json();
    } finally {
      clearTimeout(timer);
    }
  }

  // Takes a part of a page anew from the server, so that it is written in one place only.
  async function renew(selector) {
    const answer = await fetch(location.pathname, { headers: { Accept: 'text/html' } });
    const fresh = $(selector, new DOMParser().parseFromString(await answer.text(), 'text/html'));
    if (fresh) $(selector).replaceWith(document.adoptNode(fresh));
  }

  function show_state(state, text) {
    const pill = $('#live');
    if (pill.dataset.state === state && pill.lastElementChild.textContent === text) return;
    pill.dataset.state = state;
    pill.lastElementChild.textContent = text;
  }

  // Overview

  function overview() {
    const EVERY = 2000;
    const SLOWEST = 30000;
    const KEEP = 61;
    const SPAN = 16;
    const GAP = 20;
    let samples = load_samples();
    let wait = EVERY;
    let timer = 0;
    let busy = false;
    let shape = '';

    // Kept for this tab, so that the curves are still there after a look at another page.
    function load_samples() {
      try {
        const kept = JSON.parse(sessionStorage.getItem('samples') ?? '[]');
        return Array.isArray(kept) ? kept : [];
      } catch {
        return [];
      }
    }

    function put(name, text) {
      const place = $(`[data-f="${name}"]`);
      if (place && place.textContent !== text) place.textContent = text;
    }

    function put_rate(name, rate) {
      const [value, unit] = bytes(rate).split(' ');
      put(name, value);
      put(name + '-unit', unit + '/s');
    }

    function draw(id, series, top) {
      const svg = $('#' + id);
      // Half a minute wide at first, then as wide as there is to show: a new curve is more than a stub in the corner.
      const step = 120 / (Math.max(SPAN, samples.length) - 1);
      const at = (list, index) => {
        const x = 120 - (list.length - 1 - index) * step;
        const y = 38 - Math.min(1, list[index] / top) * 34;
        return x.toFixed(2) + ' ' + y.toFixed(2);
      };
      const paths = [];
      series.forEach((list, number) => {
        if (list.length < 2) return;
        const line = list.map((_, index) => at(list, index)).join('L');
        const first = (120 - (list.length - 1) * step).toFixed(2);
        if (number === 0) paths.push(['area', `M${first} 40L${line}L120 40Z`]);
        paths.push([number === 0 ? '' : 'second', 'M' + line]);
      });
      svg.replaceChildren(...paths.map(([kind, shape]) => {
        const path = document.createElementNS('http://www.w3.org/2000/svg', 'path');
        path.setAttribute('class', kind);
        path.setAttribute('d', shape);
        return path;
      }));
    }

    function draw_all() {
      const rates = samples.filter((sample) => sample.rx !== null);
      const loads = samples.map((sample) => sample.load);
      const rx = rates.map((sample) => sample.rx);
      const tx = rates.map((sample) => sample.tx);
      draw('spark-load', [loads], Math.max(1, ...loads) * 1.1);
      draw('spark-memory', [samples.map((sample) => sample.memory)], 100);
      draw('spark-net', [rx, tx], Math.max(4096, ...rx, ...tx) * 1.1);
    }

    function take(status) {
      const counted = status.network.filter((one) => status.uplink ? one.name === status.uplink : one.name !== 'lo');
      const sum = (key) => counted.reduce((total, one) => total + (one[key] ?? 0), 0);
      const now = { at: status.uptime ?? performance.now() / 1000, rx_total: sum('rx'), tx_total: sum('tx') };
      const last = samples[samples.length - 1];
      // The device's own clock since boot: right whatever the network in between did to the answers.
      const passed = last ? now.at - last.at : 0;
      if (last && (passed <= 0 || passed > GAP)) samples = [];
      const rate = (key) => last && passed > 0 && passed <= GAP ? Math.max(0, (now[key] - last[key]) / passed) : null;
      now.rx = rate('rx_total');
      now.tx = rate('tx_total');
      now.load = status.load.one ?? 0;
      now.memory = status.memory.total ? status.memory.used * 100 / status.memory.total : 0;
      if (last && passed > 0 && passed < 0.5) return;
      samples.push(now);
      samples = samples.slice(-KEEP);
      try { sessionStorage.setItem('samples', JSON.stringify(samples)); } catch { /* private mode: no history then */ }
    }

    function show(status) {
      const two = (value) => value === null ? '-' : value.toFixed(2);
      put('load', two(status.load.one));
      put('load-more', two(status.load.five) + ' · ' + two(status.load.fifteen));
      if (status.memory.total) {
        put('memory', String(Math.round(status.memory.used * 100 / status.memory.total)));
        put('memory-used', bytes(status.memory.used));
        put('memory-free', bytes(status.memory.available));
      }
      if (status.uptime !== null) put('uptime', duration(status.uptime));
      put('time', status.time.slice(0, 10) + ' ' + status.time.slice(11, 19));
      if (status.temperature !== null) put('temperature', status.temperature.toFixed(1));
      const rates = samples[samples.length - 1];
      if (rates && rates.rx !== null) {
        put_rate('rx', rates.rx);
        put_rate('tx', rates.tx);
      }
      status.storage.forEach((place, index) => {
        const row = $(`[data-storage="${index}"]`);
        if (!row) return;
        $('[data-storage-free]', row).textContent = bytes(place.free);
        const part = Math.round(place.used * 1000 / place.total) / 10;
        const meter = $('.meter', row);
        meter.setAttribute('aria-label', part + ' % used');
        meter.classList.toggle('full', part > 90);
        $('.meter-value', meter).setAttribute('width', part + '%');
      });
      for (const one of status.network) {
        const row = $(`[data-if="${CSS.escape(one.name)}"]`);
        if (!row) continue;
        $('[data-if-rx]', row).textContent = bytes(one.rx);
        $('[data-if-tx]', row).textContent = bytes(one.tx);
      }
      const now = JSON.stringify(status.network.map((one) => [one.name, one.up, one.addresses]));
      if (shape !== '' && shape !== now) renew('#net').catch(() => {});
      shape = now;
    }

    function duration(seconds) {
      const days = Math.floor(seconds / 86400);
      const two = (value) => String(Math.floor(value)).padStart(2, '0');
      const clock = [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60].map(two).join(':');
      return (days > 0 ? days + (days === 1 ? ' day ' : ' days ') : '') + clock;
    }

    async function refresh() {
      clearTimeout(timer);
      if (document.hidden || busy) return;
      busy = true;
      try {
        const status = await ask('/api/status');
        take(status);
        show(status);
        draw_all();
        show_state('live', 'Live');
        wait = EVERY;
      } catch {
        show_state('lost', 'Connection lost, retrying');
        wait = Math.min(SLOWEST, wait * 2);
      }
      busy = false;
      timer = setTimeout(refresh, wait);
    }

    function again() {
      wait = EVERY;
      refresh();
    }

    // A hidden page asks nothing: a device's CPU is not for tabs nobody looks at.
    document.addEventListener('visibilitychange', () => document.hidden ? clearTimeout(timer) : again());
    window.addEventListener('online', again);
    draw_all();
    refresh();
  }

  // Settings

  function settings() {
    const select = $('#timezone');
    const offer = $('#zone-offer');
    const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    const known = [...select.options].some((option) => option.value === zone);
    const look = () => { offer.hidden = !known || select.value === zone; };
    $('button', offer).textContent = 'Use this browser\'s: ' + zone;
    $('button', offer).addEventListener('click', () => {
      select.value = zone;
      select.focus();
      look();
    });
    select.addEventListener('change', look);
    look();
  }

  // Log

  function log() {
    const MOST = 500;
    const POLL = 3000;
    const STREAM_AGAIN = 1500;
    const STREAM_SELDOM = 30000;
    const view = $('#lines');
    const filter = $('#filter');
    const to_end = $('#to-end');
    let last = view.dataset.last;
    let source = null;
    let timer = 0;
    let polls_until = 0;
    let refused = STREAM_AGAIN;
    let errors = 0;
    let turn = 0;
    let late = 0;
    let paused = false;
    let held = [];
    let following = true;

    const at_end = () => view.scrollHeight - view.scrollTop - view.clientHeight < 24;

    function matches(line) {
      return line.textContent.toLowerCase().includes(filter.value.trim().toLowerCase());
    }

    function look() {
      $('#empty').hidden = [...view.children].some((line) => !line.hidden);
    }

    function add(lines) {
      for (const line of lines) {
        const row = document.createElement('p');
        row.className = line.level;
        const time = document.createElement('time');
        if (line.time) {
          time.dateTime = time.title = line.time;
          time.textContent = line.time.slice(11, 19);
        }
        const text = document.createElement('span');
        if (line.level !== 'info') {
          const level = document.createElement('b');
          level.textContent = line.level;
          text.append(level, ' ');
        }
        text.append(line.text);
        row.append(time, text);
        row.hidden = !matches(row);
        view.append(row);
      }
      while (view.children.length > MOST) view.firstElementChild.remove();
      if (following) view.scrollTop = view.scrollHeight;
      to_end.hidden = following;
      look();
    }

    function receive(lines) {
      if (lines.length === 0) return;
      last = lines[lines.length - 1].id;
      if (!paused) return add(lines);
      held = held.concat(lines).slice(-MOST);
      show();
    }

    function show(state, text) {
      show.state = state ?? show.state;
      show.text = text ?? show.text;
      if (paused) show_state('wait', held.length ? `Paused, ${held.length} new` : 'Paused');
      else show_state(show.state, show.text);
    }

    function stop() {
      turn++;
      clearTimeout(timer);
      clearTimeout(late);
      source?.close();
      source = null;
    }

    function stream() {
      stop();
      source = new EventSource('/api/log?after=' + encodeURIComponent(last));
      source.addEventListener('open', () => {
        clearTimeout(late);
        errors = 0;
        refused = STREAM_AGAIN;
        show('live', 'Live');
      });
      source.addEventListener('message', (event) => receive([JSON.parse(event.data)]));
      source.addEventListener('error', () => {
        if (source.readyState === EventSource.CLOSED) {
          // Refused, so the browser will not try again: all places for streams are taken, or the session is over.
          // The place may be this page's own from before a reload and free in a moment; another page's is not.
          stop();
          polls_until = Date.now() + refused;
          refused = Math.min(STREAM_SELDOM, refused * 2);
          poll();
          return;
        }
        // Every stream ends after a while and the browser reconnects: only a long absence is worth a word.
        clearTimeout(late);
        late = setTimeout(() => show('lost', 'Connection lost, retrying'), 6000);
      });
    }

    async function poll() {
      // An answer that comes after the stream took over would bring its lines twice.
      const mine = turn;
      try {
        const answer = await ask('/api/log?poll=1&after=' + encodeURIComponent(last));
        if (mine !== turn) return;
        receive(answer.lines);
        last = answer.last;
        errors = 0;
        show('poll', 'Polling');
      } catch {
        if (mine !== turn) return;
        errors++;
        show('lost', 'Connection lost, retrying');
      }
      if (Date.now() >= polls_until && errors === 0) return stream();
      const wait = errors > 0 ? Math.min(30000, POLL * 2 ** Math.min(errors, 4)) : Math.min(POLL, polls_until - Date.now());
      timer = setTimeout(poll, wait);
    }

    $('#pause').addEventListener('click', (event) => {
      paused = !paused;
      event.target.setAttribute('aria-pressed', String(paused));
      event.target.textContent = paused ? 'Resume' : 'Pause';
      if (!paused) {
        add(held);
        held = [];
      }
      show();
    });
    $('#clear').addEventListener('click', () => {
      view.replaceChildren();
      held = [];
      to_end.hidden = following = true;
      look();
      show();
    });
    filter.addEventListener('input', () => {
      for (const line of view.children) line.hidden = !matches(line);
      view.scrollTop = view.scrollHeight;
      look();
    });
    view.addEventListener('scroll', () => {
      following = at_end();
      if (following) to_end.hidden = true;
    });
    to_end.addEventListener('click', () => {
      view.scrollTop = view.scrollHeight;
      view.focus();
    });
    // A stream holds one of PHP's few workers. A hidden page gives it back and goes on where it was when seen again.
    document.addEventListener('visibilitychange', () => document.hidden ? stop() : stream());
    window.addEventListener('pagehide', stop);
    window.addEventListener('pageshow', (event) => { if (event.persisted) stream(); });

    view.scrollTop = view.scrollHeight;
    look();
    show('wait', 'Connecting');
    if (!document.hidden) stream();
  }

  // Firmware

  function firmware() {
    const SUM_MOST = 64 << 20;
    const form = $('#upload');
    const drop = $('#drop');
    const input = $('#image');
    const job = $('#job');
    const limit = Number(form.dataset.limit);
    let sending = null;

    const refusals = {
      403: 'The page had expired. Reload it and try again.',
      413: 'The server refused the image: it is larger than its limit for a request.',
      502: 'PHP did not answer properly (502). Look at the server\'s log.',
      503: 'The device is busy (503). Try again in a moment.',
      504: 'PHP took too long (504). The device may be overloaded.',
      507: 'There is no room left on the device.',
    };

    function report(state, text) {
      job.dataset.state = state;
      $('#job-text').textContent = text;
      $('#job-stop').textContent = state === 'sending' ? 'Cancel' : 'Dismiss';
    }

    // Only a secure context (https, localhost) has crypto.subtle, and it wants the whole file in memory.
    async function own_sum(file) {
      if (!globalThis.crypto?.subtle || file.size > SUM_MOST) return null;
      try {
        const sum = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
        return [...sum].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      } catch {
        return null;
      }
    }

    function send(file) {
      if (!file || sending) return;
      job.hidden = false;
      $('#job-name').textContent = file.name;
      $('#job-size').textContent = bytes(file.size);
      const bar = $('#job-progress');
      bar.value = 0;
      if (limit > 0 && file.size > limit) {
        report('failed', `Too large: this device takes up to ${bytes(limit)}.`);
        return;
      }
      const sum = own_sum(file);
      const body = new FormData();
      body.append('csrf', csrf);
      body.append('image', file);
      const request = sending = new XMLHttpRequest();
      const begun = performance.now();
      let sent = 0;
      request.open('POST', '/firmware');
      request.setRequestHeader('Accept', 'application/json');
      // In the header too: a body too large for PHP arrives without its fields.
      request.setRequestHeader('X-CSRF-Token', csrf);
      request.upload.addEventListener('progress', (event) => {
        if (!event.lengthComputable) return;
        sent = event.loaded;
        bar.value = event.loaded / event.total;
        const speed = event.loaded / Math.max(0.2, (performance.now() - begun) / 1000);
        report('sending', `${Math.floor(100 * event.loaded / event.total)} % · ${bytes(speed)}/s`);
      });
      request.upload.addEventListener('load', () => {
        bar.removeAttribute('value');
        report('sending', 'Sent. The device is checking it.');
      });
      request.addEventListener('load', async () => {
        let answer = null;
        try { answer = JSON.parse(request.responseText); } catch { /* an answer of the server's, not of the panel's */ }
        sending = null;
        bar.value = 1;
        if (request.status === 401) return to_login();
        if (request.status !== 201 || !answer?.image) {
          report('failed', answer?.error?.message ?? refusals[request.status] ?? `The server answered ${request.status}.`);
          return;
        }
        const took = Math.round((performance.now() - begun) / 1000);
        const mine = await sum;
        if (mine !== null && mine !== answer.image.sha256) {
          report('failed', 'Stored, but its SHA-256 differs from the file\'s. Delete it and send it again.');
        } else {
          report('done', (took > 0 ? `Stored in ${took} s` : 'Stored') + (mine !== null ? ', SHA-256 matches this browser\'s' : '') + '.');
        }
        try {
          await renew('#images');
          $(`[data-id="${answer.image.id}"]`)?.classList.add('fresh');
        } catch { /* the list is shown at the next load */ }
      });
      request.addEventListener('error', () => {
        sending = null;
        // A server that refuses a body may close the connection before it has all been sent.
        report('failed', sent > 0 && sent < file.size
          ? 'The connection was closed during the upload. The image may be larger than the server accepts.'
          : 'The device could not be reached.');
      });
      request.addEventListener('abort', () => {
        sending = null;
        job.hidden = true;
      });
      report('sending', 'Starting');
      request.send(body);
    }

    input.addEventListener('change', () => {
      send(input.files[0]);
      input.value = '';
    });
    form.addEventListener('submit', (event) => event.preventDefault());
    $('#job-stop').addEventListener('click', () => {
      if (sending) sending.abort();
      else job.hidden = true;
    });
    drop.addEventListener('dragover', (event) => {
      event.preventDefault();
      drop.classList.add('over');
    });
    drop.addEventListener('dragleave', () => drop.classList.remove('over'));
    drop.addEventListener('drop', (event) => {
      event.preventDefault();
      drop.classList.remove('over');
      send(event.dataTransfer.files[0]);
    });
    // A file dropped beside the field would make the browser leave the page.
    for (const kind of ['dragover', 'drop']) window.addEventListener(kind, (event) => event.preventDefault());
    window.addEventListener('beforeunload', (event) => { if (sending) event.preventDefault(); });
  }

  // Everywhere

  document.addEventListener('submit', (event) => {
    const form = event.target;
    const dialog = $('#confirm');
    if (!form.dataset.confirm || !dialog?.showModal) return;
    event.preventDefault();
    $('#confirm-text').textContent = form.dataset.confirm;
    $('#confirm-yes').textContent = form.dataset.confirmYes;
    dialog.returnValue = 'no';
    // submit() and not requestSubmit(): the question is answered, this handler need not see it again.
    dialog.addEventListener('close', () => { if (dialog.returnValue === 'yes') form.submit(); }, { once: true });
    dialog.showModal();
  });

  for (const button of document.querySelectorAll('[data-reveal]')) {
    button.addEventListener('click', () => {
      const input = document.getElementById(button.dataset.reveal);
      const shown = input.type === 'password';
      input.type = shown ? 'text' : 'password';
      button.setAttribute('aria-pressed', String(shown));
    });
  }

  ({ dashboard: overview, settings, log, firmware })[page]?.();
})();
