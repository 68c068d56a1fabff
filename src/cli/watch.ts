/** Showing something again and again until somebody has seen enough. */
import { setTimeout } from 'node:timers/promises'
import { visible } from './visible.js'

const enterAlternate = '\x1b[?1049h\x1b[?25l'
const leaveAlternate = '\x1b[?25h\x1b[?1049l'
const home = '\x1b[H'
const eraseLine = '\x1b[K'
const eraseBelow = '\x1b[J'

/**
 * Draws in place on the alternate screen, and gives the terminal back as it was, however it ends.
 * @param draw the lines to show; called anew at each interval and when the window changes its size
 */
export async function watchOnScreen(draw: () => string[], intervalMs: number): Promise<void> {
  const stop = new AbortController()
  let redraw = new AbortController()
  const onSignal = () => stop.abort()
  const onResize = () => redraw.abort()
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, onSignal)
  process.stdout.on('resize', onResize)
  process.stdout.write(enterAlternate)
  try {
    while (!stop.signal.aborted) {
      const lines = draw().slice(0, process.stdout.rows ?? Number.POSITIVE_INFINITY)
      process.stdout.write(`${home}${lines.map((line) => `${visible(line)}${eraseLine}`).join('\n')}${eraseBelow}`)
      redraw = new AbortController()
      await pause(intervalMs, AbortSignal.any([stop.signal, redraw.signal]))
    }
  } finally {
    process.stdout.write(leaveAlternate)
    process.stdout.off('resize', onResize)
    for (const name of signals) process.off(name, onSignal)
  }
}

/** For pipes and files: one after the other. */
export async function watchAsText(show: () => void, intervalMs: number): Promise<void> {
  const stop = new AbortController()
  const onSignal = () => stop.abort()
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, onSignal)
  while (!stop.signal.aborted) {
    show()
    await pause(intervalMs, stop.signal)
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await setTimeout(ms, undefined, { signal }).catch(() => {})
}
