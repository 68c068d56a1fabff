import { SingleBar } from 'cli-progress'
import { megabytes, whole } from './numbers.js'

/** One stretch of work with a beginning and an end. */
export interface Phase {
  /** Cheap: meant to be called per chunk. */
  advance(bytes: number, messages: number): void
  end(): void
}

/** Where progress goes: the standard error of a process, or a stand-in. */
export interface ProgressStream extends NodeJS.WritableStream {
  isTTY?: boolean
}

const LINE_INTERVAL_MS = 1000
const BAR_FPS = 10
const LABEL_WIDTH = 10

/**
 * Starts to show a phase: a bar on a terminal, elsewhere a plain line a second at most, so that a log file of a build
 * stays readable. Phases shorter than that leave no line at all.
 *
 * @param label one or two words
 * @param totalBytes undefined where only the end of the input will tell
 * @param stream where to show it
 */
export function startPhase(
  label: string,
  totalBytes: number | undefined,
  stream: ProgressStream = process.stderr,
): Phase {
  return stream.isTTY === true ? new BarPhase(label, totalBytes, stream) : new LinePhase(label, totalBytes, stream)
}

class BarPhase implements Phase {
  readonly #bar: SingleBar
  readonly #totalBytes: number | undefined
  #bytes = 0
  #messages = 0

  constructor(label: string, totalBytes: number | undefined, stream: ProgressStream) {
    const meter = totalBytes === undefined ? '' : '{bar} {percentage}%  '
    this.#totalBytes = totalBytes
    this.#bar = new SingleBar({
      format: `  ${label.padEnd(LABEL_WIDTH)} ${meter}{state}`,
      stream,
      fps: BAR_FPS,
      barsize: 30,
      barCompleteChar: '#',
      barIncompleteChar: '.',
      clearOnComplete: true,
      hideCursor: true,
    })
    this.#bar.start(totalBytes ?? 1, 0, { state: '' })
  }

  advance(bytes: number, messages: number): void {
    this.#bytes += bytes
    this.#messages += messages
    // The bar itself draws ten times a second at most; only the text is made here.
    this.#bar.update(Math.min(this.#bytes, this.#totalBytes ?? 0), { state: state(this.#bytes, this.#messages) })
  }

  end(): void {
    this.#bar.stop()
  }
}

class LinePhase implements Phase {
  readonly #label: string
  readonly #totalBytes: number | undefined
  readonly #stream: ProgressStream
  #shownAt = performance.now()
  #bytes = 0
  #messages = 0

  constructor(label: string, totalBytes: number | undefined, stream: ProgressStream) {
    this.#label = label
    this.#totalBytes = totalBytes
    this.#stream = stream
  }

  advance(bytes: number, messages: number): void {
    this.#bytes += bytes
    this.#messages += messages
    const now = performance.now()
    if (this.#bytes === 0 || now - this.#shownAt < LINE_INTERVAL_MS) return
    this.#shownAt = now
    const share = this.#totalBytes ? `${Math.min(100, Math.floor((100 * this.#bytes) / this.#totalBytes))}%` : ''
    this.#stream.write(
      `  ${this.#label.padEnd(LABEL_WIDTH)} ${share.padStart(4)}  ${state(this.#bytes, this.#messages)}\n`,
    )
  }

  end(): void {}
}

function state(bytes: number, messages: number): string {
  if (bytes === 0) return ''
  return messages > 0 ? `${megabytes(bytes)} MB, ${whole(messages)} messages` : `${megabytes(bytes)} MB`
}
