// The figures to drag: formulas, drawing and handling. No library, no network. `draw` is pure, so that the page can hold its first picture as text,
// and Python can compare every line with its own values.
var hyperbolicFigures = (() => {
  const height = (n, N, U) => Math.sqrt((N - n)/U*((U - N)/U + (U - n)/U))
  const factor = (n, N, U, start = 0, startFactor = 1) => {
    const c = ((U - N)/U)**2/(1 + height(0, N, U))
    return c + (startFactor - c)*(height(n, N, U)/height(start, N, U))
  }
  const curves = { // rate / peak rate; the infimum is a thousandth of the peak
    hyperbolic: (n, N, U) => { const p = factor(n, N, U); return p + 1e-3*(1 - p) },
    'exp-hyperbolic': (n, N, U) => 1e-3**(1 - factor(n, N, U)),
    cosine: (n, N) => (1 + Math.cos(Math.PI*n/N))/2,
    linear: (n, N) => 1 - n/N,
  }
  const names = {hyperbolic: 'HyperbolicLR', 'exp-hyperbolic': 'ExpHyperbolicLR', cosine: 'cosine', linear: 'linear'}
  const looks = {hyperbolic: ['#0072b2', ''], 'exp-hyperbolic': ['#d55e00', ''], cosine: ['#009e73', ''], linear: ['#cc79a7', '']}
  const slope = (N, U) => -1/Math.sqrt(N*(2*U - N))
  const grid = (a, b, k = 120) => Array.from({length: k + 1}, (_, i) => a + (b - a)*i/k)
  const line = (name, label, a, b, f, dash = '', color = name in looks ? `var(--figure-${name}, ${looks[name][0]})` : 'currentColor') => ({name, label, dash, color, points: grid(a, b).map(n => [n, f(n)])})
  const bound = rates => { // a and b of the bound a/peak + b peak of the loss after the last step
    let b = 0, left = 0, squares = 0
    for (let i = rates.length - 1; i >= 0; i--) {
      const r = rates[i], after = left
      left += r
      squares += r*r
      if (after) b += r/after*squares/left
    }
    return [1/(2*left), (squares/left + b)/2]
  }
  const trunk = n => height(n, 250, 250) // HyperbolicLR that is planned for U = 250, to zero
  const cool = (n, begin) => n < begin ? trunk(n) : trunk(begin)*Math.max(1 - Math.sqrt((n - begin)/(begin/4)), 0)
  const steps = (epochs, f) => Array.from({length: Math.round(20*epochs)}, (_, i) => f(i/20))
  const peak = Math.sqrt((([a, b]) => a/b)(bound(steps(50, n => cool(n, 40))))) // the best for 50 epochs, cooled
  const loss = (epochs, f) => (([a, b]) => a/peak + b*peak)(bound(steps(epochs, f)))
  const unit = loss(50, n => cool(n, 40)), stopped = n => loss(n, trunk)/unit, cooled = n => loss(n, x => cool(x, 0.8*n))/unit
  const percent = x => `${Math.round(100*x)}%`

  const figures = {
    budgets: {
      title: 'Learning rate at each epoch, for a run of 50 epochs (dashed) and for a longer one (solid)',
      range: [0, 250], top: 1, ylabel: 'rate / peak rate', xlabel: 'epoch',
      params: {N: ['longer run (epochs)', 60, 250, 200]},
      draw({N}) {
        const U = 250, at = 25, both = ['cosine', 'hyperbolic'], jump = both.map(k => [50, N].map(b => curves[k](at, b, U)))
        return {
          lines: [...both.map(k => line(k, `${names[k]}, 50`, 0, 50, n => curves[k](n, 50, U), '5 4')), ...both.map(k => line(k, `${names[k]}, ${N}`, 0, N, n => curves[k](n, N, U)))],
          marks: [[at, 0, at, 1]],
          handles: [{param: 'N', x: N, y: curves.hyperbolic(N, N, U)}],
          says: `Of 50 and of ${N} epochs, at epoch ${at}: the cosine is at ${jump[0].map(percent).join(' and ')} of its peak, HyperbolicLR (U = 250) at ${jump[1].map(percent).join(' and ')}.`,
        }
      },
    },
    hyperbola: {
      title: 'The branch of the hyperbola for a budget N, its asymptote, and the branch for 50 epochs',
      range: [0, 400], top: 1, ylabel: 'height h(n)', xlabel: 'n (epochs)',
      params: {N: ['budget N (epochs, at most U)', 60, 400, 150], U: ['upper bound U (epochs)', 60, 400, 250]},
      keep: s => { s.N = Math.min(s.N, s.U) },
      draw({N, U}) {
        return {
          lines: [line('', 'asymptote 1 - n/U', 0, U, n => 1 - n/U, '2 3'), line('hyperbolic', 'h, N = 50', 0, 50, n => height(n, 50, U), '5 4'), line('hyperbolic', `h, N = ${N}`, 0, N, n => height(n, N, U))],
          marks: [],
          handles: [{param: 'U', x: U, y: 0}, {param: 'N', x: N, y: 0}],
          says: `With U = ${U}, the branch of N = ${N} starts to fall at ${Math.abs(slope(N, U)/slope(50, U)).toFixed(2)} times the slope of the branch of N = 50. Stretched shapes would start at ${(50/N).toFixed(2)} times.`,
        }
      },
    },
    distance: {
      title: 'How far the rate of a longer run is from that of 50 epochs, at the same epoch',
      range: [0, 50], top: 1, ylabel: 'difference / peak rate', xlabel: 'epoch',
      params: {N: ['longer run (epochs)', 60, 250, 200], U: ['upper bound U (epochs, at least the longer run)', 60, 1000, 250]},
      keep: s => { s.U = Math.max(s.U, s.N) },
      draw({N, U}) {
        const lines = Object.keys(curves).map(k => line(k, names[k], 0, 50, n => Math.abs(curves[k](n, N, U) - curves[k](n, 50, U))))
        return {
          lines,
          marks: [[0, Math.SQRT2 - 1, 50, Math.SQRT2 - 1]],
          handles: [],
          says: `50 and ${N} epochs with U = ${U}, the largest difference: ${lines.map(o => `${o.label} ${percent(Math.max(...o.points.map(p => p[1])))}`).join(', ')}. HyperbolicLR stays below the dotted line, 41.4%.`,
        }
      },
    },
    extend: {
      title: 'A run planned for 50 epochs is told along the way to go on to 100',
      range: [0, 100], top: 1, ylabel: 'rate / peak rate', xlabel: 'epoch',
      params: {n: ['the plan changes at epoch', 15, 49, 40]},
      draw({n}) {
        const U = 250, f0 = factor(n, 50, U), rest = x => { const p = factor(x, 100, U, n, f0); return p + 1e-3*(1 - p) }
        const jump = k => `from ${percent(curves[k](n, 50, U))} to ${percent(curves[k](n, 100, U))}`
        return {
          lines: [line('cosine', 'cosine', 0, n, x => curves.cosine(x, 50)), line('cosine', 'cosine, rebuilt', n, 100, x => curves.cosine(x, 100), '5 4'),
                  line('hyperbolic', 'HyperbolicLR', 0, n, x => curves.hyperbolic(x, 50, U)), line('hyperbolic', 'HyperbolicLR, rebuilt', n, 100, x => curves.hyperbolic(x, 100, U), '5 4'),
                  line('', 'HyperbolicLR, extended', n, 100, rest, '')],
          marks: [[n, 0, n, 1]],
          handles: [{param: 'n', x: n, y: curves.hyperbolic(n, 50, U)}],
          says: `At epoch ${n}, a schedule rebuilt for 100 epochs jumps: the cosine ${jump('cosine')} of its peak, HyperbolicLR (U = 250) ${jump('hyperbolic')}. Extended, it goes on from ${percent(curves.hyperbolic(n, 50, U))}.`,
        }
      },
    },
    cooldown: {
      title: 'Learning rate of a trunk and a cooldown, and the loss that theory expects of a run that ends at an epoch',
      range: [0, 250], top: 1, ylabel: 'rate / peak rate', xlabel: 'epoch',
      params: {n: ['the cooldown begins at epoch', 20, 200, 80]},
      draw({n}) {
        const N = 1.25*n, saved = 1 - cooled(N)/stopped(N)
        return {
          lines: [line('hyperbolic', 'trunk', 0, n, trunk), line('hyperbolic', 'the trunk goes on', n, 250, trunk, '5 4'), line('exp-hyperbolic', 'cooldown, a fifth of the run', n, N, x => cool(x, n))],
          marks: [[n, 0, n, 1], [N, 0, N, 1]],
          handles: [{param: 'n', x: n, y: trunk(n)}],
          below: {
            top: 2, ylabel: 'expected loss', marks: [[N, 0, N, 2]],
            lines: [...losses(), {...line('hyperbolic', '', N, N, stopped), dot: true}, {...line('exp-hyperbolic', '', N, N, cooled), dot: true}],
          },
          says: `Cooled from epoch ${n} on, ${N} epochs end at ${cooled(N).toFixed(2)} times the loss of 50 cooled epochs, by a bound for convex functions; without the cooldown at ${stopped(N).toFixed(2)} times. The cooldown takes ${percent(saved)} off, and the trunk can go on from epoch ${n}.`,
        }
      },
    },
  }
  let known // the same for every position
  const losses = () => known ??= [
    {...line('hyperbolic', 'loss if the trunk just stops here', 25, 250, stopped), dash: '1 3'}, {...line('exp-hyperbolic', 'loss if its last fifth cools down', 25, 250, cooled), dash: '1 3'}]

  const L = 60, R = 14, T = 10, B = 44
  const escape = t => t.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/"/g, '&quot;')
  const panel = (f, {lines, marks, handles = [], top = f.top, ylabel = f.ylabel}, W, H) => {
    const x = v => L + (W - L - R)*(v - f.range[0])/(f.range[1] - f.range[0]), y = v => H - B - (H - B - T)*v/top
    const at = (a, b) => `${x(a).toFixed(2)},${y(b).toFixed(2)}`
    const ticks = [0, 1, 2, 3, 4, 5].map(i => f.range[0] + (f.range[1] - f.range[0])*i/5), levels = [0, 0.25, 0.5, 0.75, 1].map(v => v*top)
    const drawn = o => o.dot ? `<circle cx="${x(o.points[0][0])}" cy="${y(o.points[0][1])}" r="5" style="fill:${o.color}"/>` :
      `<polyline fill="none" style="stroke:${o.color}" stroke-width="2" stroke-dasharray="${o.dash}" points="${o.points.map(p => at(...p)).join(' ')}"/>`
    return [
      ...levels.map(v => `<line x1="${L}" x2="${W - R}" y1="${y(v)}" y2="${y(v)}" stroke="currentColor" opacity="0.15"/><text x="${L - 6}" y="${y(v) + 5}" text-anchor="end">${v}</text>`),
      ...ticks.map(v => `<line x1="${x(v)}" x2="${x(v)}" y1="${T}" y2="${H - B}" stroke="currentColor" opacity="0.15"/><text x="${x(v)}" y="${H - B + 18}" text-anchor="middle">${v}</text>`),
      `<text x="${(L + W - R)/2}" y="${H - 6}" text-anchor="middle">${f.xlabel}</text><text transform="translate(14 ${(T + H - B)/2}) rotate(-90)" text-anchor="middle">${ylabel}</text>`,
      ...marks.map(([a, b, c, d]) => `<line x1="${x(a)}" y1="${y(b)}" x2="${x(c)}" y2="${y(d)}" stroke="currentColor" stroke-dasharray="1 3"/>`),
      ...lines.map(drawn),
      ...handles.map(h => `<circle data-param="${h.param}" cx="${x(h.x)}" cy="${y(h.y)}" r="8" fill="#e69f00" stroke="currentColor"/>`),
      ...handles.map(h => `<circle class="grip" data-param="${h.param}" cx="${x(h.x)}" cy="${y(h.y)}" r="22" fill="transparent" style="cursor:ew-resize"/>`), // for fingers
    ].join('')
  }
  const svg = (kind, state, W = 640) => { // as wide as it will be shown, so that its text is as large as the page's
    const f = figures[kind], drawn = f.draw(state), H = Math.round(Math.min(Math.max(0.6*W, 240), 400)), h = Math.round(Math.max(0.7*H, 190))
    const body = drawn.below ? panel(f, drawn, W, h) + `<g transform="translate(0 ${h})">${panel(f, drawn.below, W, h)}</g>` : panel(f, drawn, W, H)
    return `<svg viewBox="0 0 ${W} ${drawn.below ? 2*h : H}" role="img" aria-label="${escape(f.title)}" font-size="14" fill="currentColor">${body}</svg>`
  }
  const named = ({lines, below}) => [...lines, ...below?.lines ?? []].filter(o => o.label)
  const legend = (kind, state) => named(figures[kind].draw(state)).map(o =>
    `<span style="white-space:nowrap;margin-right:1.2em"><svg width="30" height="8" aria-hidden="true"><line x1="0" x2="30" y1="4" y2="4" style="stroke:${o.color}" stroke-width="2" stroke-dasharray="${o.dash}"/></svg> ${o.label}</span>`).join(' ')
  const start = kind => Object.fromEntries(Object.entries(figures[kind].params).map(([k, o]) => [k, o[3]]))
  const html = kind => { // the figure as it first stands, complete without a script
    const s = start(kind), inputs = Object.entries(figures[kind].params).map(([k, [label, lo, hi, v]]) =>
      `<label style="display:block">${label}: <output data-of="${k}" aria-live="off">${v}</output><br><input type="range" data-lm-suppress-shortcuts="true" data-param="${k}" min="${lo}" max="${hi}" value="${v}" style="width:100%"></label>`)
    return `<div class="hyperbolic-figure" data-figure="${kind}" style="margin:1em 0">` +
      `<div class="picture">${svg(kind, s)}</div><div class="legend" style="font-size:0.85em">${legend(kind, s)}</div>${inputs.join('')}<p class="says" aria-live="polite">${figures[kind].draw(s).says}</p></div>`
  }

  const mount = root => {
    if (root.dataset.mounted) return
    root.dataset.mounted = 'yes'
    const kind = root.dataset.figure, f = figures[kind], state = start(kind), picture = root.querySelector('.picture')
    const width = () => Math.max(picture.clientWidth, 300)
    const redraw = () => { picture.innerHTML = svg(kind, state, width()) }
    const show = (param, value) => {
      const [, lo, hi] = f.params[param]
      state[param] = Math.round(Math.min(Math.max(value, lo), hi))
      f.keep?.(state)
      redraw()
      root.querySelector('.legend').innerHTML = legend(kind, state)
      root.querySelector('.says').textContent = f.draw(state).says
      for (const k in state) {
        root.querySelector(`input[data-param=${k}]`).value = state[k]
        root.querySelector(`output[data-of=${k}]`).textContent = state[k]
      }
    }
    for (const o of root.querySelectorAll('input')) o.addEventListener('input', () => show(o.dataset.param, +o.value))
    let held = null
    picture.style.touchAction = 'pan-y' // a finger still scrolls the page
    picture.addEventListener('pointerdown', e => {
      held = e.target.dataset.param ?? null
      if (held) { picture.setPointerCapture(e.pointerId); e.preventDefault() }
    })
    picture.addEventListener('pointermove', e => {
      if (!held) return
      const box = picture.firstElementChild.getBoundingClientRect(), W = width(), part = ((e.clientX - box.left)/box.width*W - L)/(W - L - R)
      show(held, f.range[0] + part*(f.range[1] - f.range[0]))
    })
    for (const o of ['pointerup', 'pointercancel']) picture.addEventListener(o, () => { held = null })
    if (globalThis.ResizeObserver) new ResizeObserver(redraw).observe(picture)
  }
  return {height, factor, curves, slope, bound, figures, start, svg, html, mount}
})()
