/** How far a long verb is, on standard error: a bar on a terminal, elsewhere a line every second at most. */
import { SingleBar } from 'cli-progress'
import { bytes } from './units.js'

export interface Progress {
  advance(more: number): void
  end(): void
}

/** A bar on a terminal. */
export interface Bar extends Progress {
  /** Prints something on the same screen: the bar gives way to it, and comes again below. */
  aside(print: () => Promise<void>): Promise<void>
}

const lineIntervalMs = 1_000

/** @param inWords says how much of it is done; bytes unless said */
export function startProgress(
  label: string,
  total: number,
  inWords: (count: number) => string = bytes,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  return stream.isTTY === true ? bar(label, total, inWords, stream) : lines(label, total, inWords, stream)
}

function bar(label: string, total: number, inWords: (count: number) => string, stream: NodeJS.WriteStream): Bar {
  const shown = new SingleBar({
    format: `${label} {bar} {percentage}%  {state}`,
    stream,
    fps: 10,
    barsize: 40,
    barCompleteChar: '#',
    barIncompleteChar: '.',
    clearOnComplete: true,
    hideCursor: true,
  })
  const state = (done: number) => ({ state: `${inWords(done)} of ${inWords(total)}` })
  let done = 0
  shown.start(Math.max(1, total), 0, state(0))
  return {
    advance(more) {
      done += more
      shown.update(done, state(done))
    },
    async aside(print) {
      shown.stop()
      await print()
      shown.start(Math.max(1, total), done, state(done))
    },
    end: () => shown.stop(),
  }
}

function lines(label: string, total: number, inWords: (count: number) => string, stream: NodeJS.WriteStream): Progress {
  let done = 0
  let shownAt = performance.now()
  return {
    advance(more) {
      done += more
      if (performance.now() - shownAt < lineIntervalMs) return
      shownAt = performance.now()
      stream.write(`${label}: ${inWords(done)} of ${inWords(total)}\n`)
    },
    end() {},
  }
}

/** For a verb whose output is what counts: a terminal shows how far it is, a file of errors does not. */
export function progressOnTerminal(
  label: string,
  total: number,
  inWords: (count: number) => string = bytes,
): Bar | undefined {
  return process.stderr.isTTY === true ? bar(label, total, inWords, process.stderr) : undefined
}

/** For a verification: nothing is shown beside JSON. */
export function verifyProgress(isQuiet: boolean): ((total: number) => Progress) | undefined {
  return isQuiet ? undefined : (total) => startProgress('verify', total)
}
