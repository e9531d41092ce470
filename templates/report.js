(function () {
  'use strict';
  var words = document.body.dataset;
  var said = document.getElementById('said');

  function make(name, text, attributes) {
    var node = document.createElement(name);
    if (text) { node.textContent = text; }
    Object.keys(attributes || {}).forEach(function (key) { node.setAttribute(key, attributes[key]); });
    return node;
  }

  function copy(text, button) {
    function done(word) {
      said.textContent = word;
      var before = button.dataset.label;
      button.textContent = word;
      setTimeout(function () { button.textContent = before; }, 1600);
    }
    function byHand() {
      var area = make('textarea', '', { 'class': 'unseen', 'aria-hidden': 'true' });
      area.value = text;
      document.body.appendChild(area);
      area.select();
      var worked = false;
      try { worked = document.execCommand('copy'); } catch (problem) { worked = false; }
      area.remove();
      done(worked ? words.toolCopied : words.toolCopyFailed);
    }
    if (navigator.clipboard && window.isSecureContext) {
      navigator.clipboard.writeText(text).then(function () { done(words.toolCopied); }, byHand);
    } else {
      byHand();
    }
  }

  function copyButton(label, text) {
    var button = make('button', label, { type: 'button', 'class': 'copy' });
    button.dataset.label = label;
    button.addEventListener('click', function () { copy(text(), button); });
    return button;
  }

  // Requests as curl: the token is a shell variable, and goes in through a pipe: never a value, never an argument.
  function quoted(text) { return "'" + text.replace(/'/g, "'\\''") + "'"; }

  function part(raw, name) {
    var node = raw.querySelector('.' + name);
    return node ? node.textContent : '';
  }

  function curl(raw) {
    var account = raw.dataset.account;
    var middle = account === 'default' ? '' : account.toUpperCase().replace(/[^A-Z0-9]/g, '_') + '_';
    var pair = '"$RUNBOOK_' + middle + 'EMAIL" "$RUNBOOK_' + middle + 'API_TOKEN"';
    var secret = "printf 'Authorization: Basic %s\\n' \"$(printf '%s:%s' " + pair + " | base64 | tr -d '\\n')\"";
    var lines = [secret + ' |', 'curl --header @-',
      '--request ' + quoted(raw.querySelector('pre b').textContent) + ' ' + quoted(part(raw, 'url'))];
    part(raw, 'headers').split('\n').forEach(function (line) {
      if (line) { lines.push('--header ' + quoted(line)); }
    });
    var body = part(raw, 'body');
    if (body) { lines.push('--data-raw ' + quoted(body)); }
    return lines.join(' \\\n  ') + '\n';
  }

  document.querySelectorAll('.raw[data-account]').forEach(function (raw) {
    raw.querySelector('.rawhead').appendChild(copyButton(words.toolCurl, function () { return curl(raw); }));
  });
  document.querySelectorAll('pre[data-copy]').forEach(function (pre) {
    pre.before(copyButton(words.toolCopy, function () { return pre.textContent; }));
  });

  // Tables: search, filter by state, sort by any column.
  function key(row, index) {
    var cell = row.cells[index];
    var time = cell.querySelector('time');
    if (time) { return time.getAttribute('datetime'); }
    var text = cell.textContent.trim();
    var bare = text.replace(/\u202f/g, '');
    return /^-?\d+$/.test(bare) ? Number(bare) : text.toLowerCase();
  }

  function compare(a, b) {
    if (typeof a === 'number' && typeof b === 'number') { return a - b; }
    return String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0;
  }

  document.querySelectorAll('table[data-tools]').forEach(function (table) {
    var body = table.tBodies[0];
    var rows = Array.prototype.slice.call(body.rows);
    var texts = rows.map(function (row) { return row.textContent.toLowerCase(); });
    var bar = make('form', '', { 'class': 'tools', role: 'search', 'aria-label': table.caption.textContent });
    var search = make('input', '', { type: 'search', id: table.id + '-search', autocomplete: 'off' });
    var select = make('select', '', { id: table.id + '-state' });
    var count = make('output', '', { 'for': search.id + ' ' + select.id });
    select.appendChild(make('option', words.toolAll, { value: '' }));
    var states = document.querySelector('template[data-for="' + table.id + '"]');
    if (states) { select.appendChild(states.content.cloneNode(true)); }
    bar.appendChild(make('label', words.toolSearch, { 'for': search.id }));
    bar.appendChild(search);
    bar.appendChild(make('label', words.toolState, { 'for': select.id }));
    bar.appendChild(select);
    bar.appendChild(count);
    table.parentNode.before(bar);

    function filter() {
      var wanted = search.value.trim().toLowerCase().split(/\s+/);
      var shown = 0;
      rows.forEach(function (row, index) {
        var visible = (!select.value || row.dataset.state === select.value) &&
          wanted.every(function (word) { return texts[index].indexOf(word) >= 0; });
        row.classList.toggle('off', !visible);
        var detail = row.dataset.job && document.getElementById(row.dataset.job);
        if (detail) { detail.classList.toggle('off', !visible); }
        if (visible) { shown += 1; }
      });
      count.textContent = words.toolShown.replace('{shown}', shown).replace('{total}', rows.length);
    }

    bar.addEventListener('submit', function (event) { event.preventDefault(); });
    search.addEventListener('input', filter);
    select.addEventListener('change', filter);
    table.addEventListener('show-all', function () { search.value = ''; select.value = ''; filter(); });
    filter();

    Array.prototype.forEach.call(table.tHead.rows[0].cells, function (head, index) {
      var button = make('button', head.textContent, { type: 'button', title: words.toolSort });
      head.textContent = '';
      head.appendChild(button);
      button.addEventListener('click', function () {
        var down = head.getAttribute('aria-sort') === 'ascending';
        Array.prototype.forEach.call(head.parentNode.cells, function (other) { other.removeAttribute('aria-sort'); });
        head.setAttribute('aria-sort', down ? 'descending' : 'ascending');
        rows.map(function (row, place) { return [key(row, index), place, row]; })
          .sort(function (a, b) { return (down ? -1 : 1) * compare(a[0], b[0]) || a[1] - b[1]; })
          .forEach(function (entry) { body.appendChild(entry[2]); });
      });
    });
  });

  // A fragment names a row or a job; a filter never hides what an address points to.
  function reveal() {
    var name = '';
    try { name = decodeURIComponent(location.hash.slice(1)); } catch (problem) { return; }
    var target = name && document.getElementById(name);
    if (!target) { return; }
    if (target.classList.contains('off')) {
      document.querySelectorAll('table[data-tools]').forEach(function (table) {
        table.dispatchEvent(new Event('show-all'));
      });
    }
    target.scrollIntoView();
  }
  window.addEventListener('hashchange', reveal);
  if (location.hash) { reveal(); }

  // A row keeps its own address: a click on it puts the row into the address bar.
  document.addEventListener('click', function (event) {
    if (event.target.closest('a, button, input, select')) { return; }
    var row = event.target.closest('tr[id]');
    if (row && !String(window.getSelection())) { location.hash = row.id; }
  });

  // A page of a run that is under way reloads itself, unless somebody is at work in it.
  var every = Number(document.body.dataset.refresh || 0);
  var notice = document.getElementById('refreshing');
  if (every && notice) {
    var paused = false;
    var pause = make('button', words.refreshPause, { type: 'button' });
    notice.appendChild(pause);
    pause.addEventListener('click', function () {
      paused = !paused;
      pause.textContent = paused ? words.refreshGo : words.refreshPause;
    });
    setInterval(function () {
      var busy = document.activeElement && /^(INPUT|SELECT)$/.test(document.activeElement.tagName);
      if (!paused && !busy && !String(window.getSelection())) { location.reload(); }
    }, every * 1000);
  }
}());
