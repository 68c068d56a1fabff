/** How far a long verb is, on standard error: a bar on a terminal, elsewhere a line every second at most. */
import { SingleBar } from 'cli-progress'
import { bytes } from './units.js'

export interface Progress {
  advance(bytes: number): void
  end(): void
}

const lineIntervalMs = 1_000

export function startProgress(
  label: string,
  totalBytes: number,
  stream: NodeJS.WriteStream = process.stderr,
): Progress {
  return stream.isTTY === true ? bar(label, totalBytes, stream) : lines(label, totalBytes, stream)
}

function bar(label: string, totalBytes: number, stream: NodeJS.WriteStream): Progress {
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
  const state = (done: number) => ({ state: `${bytes(done)} of ${bytes(totalBytes)}` })
  let done = 0
  shown.start(Math.max(1, totalBytes), 0, state(0))
  return {
    advance(more) {
      done += more
      shown.update(done, state(done))
    },
    end: () => shown.stop(),
  }
}

function lines(label: string, totalBytes: number, stream: NodeJS.WriteStream): Progress {
  let done = 0
  let shownAt = performance.now()
  return {
    advance(more) {
      done += more
      if (performance.now() - shownAt < lineIntervalMs) return
      shownAt = performance.now()
      stream.write(`${label}: ${bytes(done)} of ${bytes(totalBytes)}\n`)
    },
    end() {},
  }
}
