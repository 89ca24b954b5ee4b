/* Stands first in every page that is served under a prefix, and keeps what scripts ask for under it. It is one text
   for all pages: what differs stands in the attributes of its own element. Whatever is under the prefix already, or
   leads elsewhere, stays as it is. */
(function () {
  'use strict';
  var self = document.currentScript;
  if (!self || window.__TUNNEL_CONTEXT__) return;
  var base = self.dataset.basePath, id = self.dataset.tunnelId, place = window.location;
  var ws = { 'ws:': 'http:', 'wss:': 'https:' }, service;
  try { service = new URL('http://' + self.dataset.service); } catch (e) { /* not known */ }

  /* The service's own address; or its port at the visitor's host, where a dev server's page looks for it. */
  function isService(at) {
    if (!service || !service.port || at.port !== service.port) return false;
    return [service.hostname, place.hostname, 'localhost', '127.0.0.1', '[::1]', '0.0.0.0'].indexOf(at.hostname) >= 0;
  }
  /* At the visitor's origin; nothing where it leads elsewhere. */
  function own(at) {
    var kind = ws[at.protocol] || at.protocol, socket = kind !== at.protocol;
    if (kind === place.protocol && at.host === place.host) return at;
    if (!/^https?:$/.test(kind) || !isService(at)) return null;
    return new URL((socket ? place.protocol.replace('http', 'ws') : place.protocol) + '//' + place.host + at.pathname + at.search + at.hash);
  }
  function isInside(path) { return path === base || path.indexOf(base + '/') === 0; }

  /* The URL under the prefix; the same value where nothing is to be changed. */
  function url(value) {
    if (!base || (typeof value !== 'string' && !(value instanceof URL))) return value;
    var text = String(value), at;
    if (text.charAt(0) === '#') return value;
    try { at = new URL(text, document.baseURI); } catch (e) { return value; }
    var ours = own(at);
    if (!ours || (ours === at && isInside(at.pathname))) return value;
    if (!isInside(ours.pathname)) ours.pathname = base + ours.pathname;
    return /^[\s\u0000-\u001f]*[\/\\](?![\/\\])/.test(text) ? ours.pathname + ours.search + ours.hash : ours.href;
  }
  function bare(text) { return text.indexOf(base + '/') === 0 ? text.slice(base.length) : text; }
  function eachOf(list, how) {
    return String(list).replace(/(^|,)(\s*)([^\s,](?:\S*[^\s,])?)/g, function (all, comma, gap, one) { return comma + gap + how(one); });
  }
  function srcset(value) { return eachOf(value, url); }

  window.__TUNNEL_BASE_PATH__ = base;
  window.__TUNNEL_CONTEXT__ = {
    tunnelId: id, basePath: base, url: url, getBaseUrl: function () { return place.origin + base; }
  };

  /* A method whose argument `n` is a URL. */
  function method(owner, name, n) {
    var old = owner && owner[name];
    if (typeof old !== 'function') return;
    owner[name] = function () {
      var args = Array.prototype.slice.call(arguments);
      if (args.length > n) args[n] = url(args[n]);
      return old.apply(this, args);
    };
  }
  /* A constructor whose first argument is a URL. */
  function maker(name) {
    var Old = window[name];
    if (typeof Old !== 'function') return;
    window[name] = new Proxy(Old, {
      construct: function (target, args, as) {
        if (args.length) args[0] = url(args[0]);
        return Reflect.construct(target, args, as === window[name] ? target : as);
      }
    });
  }
  var fetch = window.fetch;
  if (fetch) window.fetch = function (what, how) {
    if (window.Request && what instanceof Request) {
      var there = url(what.url);
      return fetch.call(this, there === what.url ? what : new Request(there, what), how);
    }
    return fetch.call(this, url(what), how);
  };
  if (window.Request) maker('Request');
  method(window.XMLHttpRequest && XMLHttpRequest.prototype, 'open', 1);
  ['WebSocket', 'EventSource', 'Worker', 'SharedWorker'].forEach(maker);
  method(window.Navigator && Navigator.prototype, 'sendBeacon', 0);
  method(window, 'open', 0);
  /* Routers read `location`, which nothing can stand in for: when they start, when a person goes back, and right after they
     have changed it themselves. Then it is without the prefix, for a moment: from here until the page is loaded, as scripts
     run whenever they have come. Relative URLs lead to the same place meanwhile, by a <base> behind the head, so that one of
     the page's own comes before it. Requests name no page, whose path would be another tunnel's. */
  var show = History.prototype.replaceState, policy = self.dataset.referrerPolicy, isOut, isStarting = true, later;
  var meta = document.createElement('meta'), stand = document.createElement('base');
  meta.name = 'referrer';
  function go(path) {
    try { show.call(history, history.state, '', place.origin + path + place.search + place.hash); } catch (e) { /* a sandbox */ }
  }
  function said() {
    var all = document.querySelectorAll('meta[name=referrer i]'), last;
    all.forEach(function (one) { if (one !== meta) last = one.content; });
    return last || policy || 'strict-origin-when-cross-origin';
  }
  function refer(to) {
    meta.content = to;
    (document.head || document.documentElement).append(meta);
  }
  function leave() {
    var here = place.href, path = place.pathname;
    if (!base || !isInside(path)) return;
    go(path.slice(base.length) || '/');
    if (place.href === here) return;
    isOut = true;
    stand.href = here;
    document.documentElement.append(stand);
    refer(/^(no-referrer|same-origin)$/i.test(said()) ? 'no-referrer' : 'strict-origin');
  }
  function enter() {
    if (!isOut) return;
    isOut = false;
    if (!isInside(place.pathname)) go(base + place.pathname);
    stand.remove();
    refer(said());
  }
  function leaveForNow() {
    leave();
    clearTimeout(later);
    if (!isStarting) later = setTimeout(enter);
  }
  /* What a person does may lead on from here. A form that is on its way is sent as the page stands a moment later: with its
     Origin and Referer, so the address stays then. */
  function act(event) {
    enter();
    clearTimeout(later);
    if (isStarting) later = setTimeout(function () {
      if (event.type !== 'submit' || event.defaultPrevented) leaveForNow();
    });
  }
  function hasStarted() {
    isStarting = false;
    enter();
  }
  ['pushState', 'replaceState'].forEach(function (name) {
    var old = window.History && History.prototype[name];
    if (old) History.prototype[name] = function (state, title, to) {
      arguments.length > 2 ? old.call(this, state, title, url(to)) : old.call(this, state, title);
      leaveForNow();
    };
  });
  leave();
  /* Half a second, and the scripts have come to rest. */
  addEventListener('load', function () {
    setTimeout(function () { window.requestIdleCallback ? requestIdleCallback(hasStarted, { timeout: 5000 }) : hasStarted(); }, 500);
  });
  addEventListener('popstate', leaveForNow, true);
  ['pointerdown', 'keydown', 'click', 'submit'].forEach(function (name) { addEventListener(name, act, true); });
  ['beforeunload', 'pagehide'].forEach(function (name) { addEventListener(name, enter, true); });
  var submit = HTMLFormElement.prototype.submit;
  HTMLFormElement.prototype.submit = function () {
    enter();
    mend(this);
    submit.call(this);
  };

  /* `location` is not to be changed in today's browsers; where it is, its methods follow. */
  ['assign', 'replace'].forEach(function (name) { try { method(place, name, 0); } catch (e) { /* as said */ } });
  var workers = window.ServiceWorkerContainer && ServiceWorkerContainer.prototype;
  if (workers) {
    var register = workers.register;
    workers.register = function (script, options) {
      if (options && options.scope !== undefined) options = Object.assign({}, options, { scope: url(options.scope) });
      return register.call(this, url(script), options);
    };
    method(workers, 'getRegistration', 0);
  }

  /* What a script sets on elements: properties, attributes, and markup. */
  var names = { href: url, src: url, action: url, formaction: url, poster: url, data: url, srcset: srcset,
    imagesrcset: srcset, background: url, 'data-src': url, 'data-href': url, 'xlink:href': url };
  function change(element, name, value) {
    var how = Object.prototype.hasOwnProperty.call(names, name) && names[name];
    if (!how || value === null || (name === 'data' && element.localName !== 'object')) return value;
    return how(value);
  }
  function property(type, name, attribute) {
    var owner = window[type] && window[type].prototype;
    var old = owner && Object.getOwnPropertyDescriptor(owner, name);
    if (!old || !old.set) return;
    Object.defineProperty(owner, name, {
      configurable: true, enumerable: old.enumerable, get: old.get,
      set: function (value) { old.set.call(this, change(this, attribute || name.toLowerCase(), value)); }
    });
  }
  [['Anchor', 'href'], ['Area', 'href'], ['Link', 'href'], ['Link', 'imageSrcset'], ['Script', 'src'], ['Image', 'src'],
    ['Image', 'srcset'], ['Source', 'src'], ['Source', 'srcset'], ['IFrame', 'src'], ['Frame', 'src'], ['Embed', 'src'],
    ['Media', 'src'], ['Track', 'src'], ['Input', 'src'], ['Input', 'formAction'], ['Button', 'formAction'],
    ['Form', 'action'], ['Video', 'poster'], ['Object', 'data'], ['Base', 'href']]
    .forEach(function (one) { property('HTML' + one[0] + 'Element', one[1]); });
  var set = Element.prototype.setAttribute, setNS = Element.prototype.setAttributeNS;
  Element.prototype.setAttribute = function (name, value) {
    return set.call(this, name, change(this, String(name).toLowerCase(), value));
  };
  Element.prototype.setAttributeNS = function (space, name, value) {
    return setNS.call(this, space, name, change(this, String(name).toLowerCase(), value));
  };
  /* Who reads an attribute gets what stood there: Next.js knows its scripts by it, React compares. */
  var get = Element.prototype.getAttribute;
  Element.prototype.getAttribute = function (name) {
    var value = get.call(this, name), known = String(name).toLowerCase();
    if (!base || !value || !Object.prototype.hasOwnProperty.call(names, known)) return value;
    return names[known] === srcset ? eachOf(value, bare) : bare(value);
  };
  function mend(element) {
    for (var name in names) {
      var value = get.call(element, name);
      if (value === null) continue;
      var better = change(element, name, value);
      if (better !== value) set.call(element, name, better);
    }
  }
  new MutationObserver(function (changes) {
    changes.forEach(function (one) {
      one.addedNodes.forEach(function (node) {
        if (node.nodeType !== 1) return;
        mend(node);
        node.querySelectorAll('[href],[src],[action],[formaction],[poster],[data],[srcset],[imagesrcset]').forEach(mend);
      });
    });
  }).observe(document, { childList: true, subtree: true });
  /* Markup is mended a moment after it is there; a form or a link may be used before that. */
  addEventListener('submit', function (event) {
    mend(event.target);
    if (event.submitter) mend(event.submitter);
  }, true);
  addEventListener('click', function (event) {
    var link = event.target.closest && event.target.closest('a[href],area[href]');
    if (link) mend(link);
  }, true);
})();
