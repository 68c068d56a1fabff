import { createHistogram, type RecordableHistogram } from 'node:perf_hooks'
import type { Figures } from './job.js'

const nanosecondsPerMs = 1e6
const longestNanoseconds = 60e9
const significantFigures = 3

/** Latencies in an HDR histogram (the one Node is built with), told in microseconds. */
export class LatencyHistogram {
  readonly #histogram: RecordableHistogram = createHistogram({
    lowest: 1,
    highest: longestNanoseconds,
    figures: significantFigures,
  })

  record(elapsedMs: number): void {
    this.#histogram.record(Math.max(1, Math.round(elapsedMs * nanosecondsPerMs)))
  }

  summary(): Figures {
    const microseconds = (percentile: number) => this.#histogram.percentile(percentile) / 1000
    return {
      samples: this.#histogram.count,
      p50Us: microseconds(50),
      p90Us: microseconds(90),
      p99Us: microseconds(99),
      p999Us: microseconds(99.9),
      maxUs: this.#histogram.max / 1000,
    }
  }
}
