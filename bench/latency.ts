/** Latencies as HDR histograms, told in microseconds, recorded in tenths of one. */
import type * as Hdr from 'hdr-histogram-js'
import type { Figures, Outcome } from './job.js'
import { loadTool } from './tools.js'

const unitsPerUs = 10
const longestUnits = 60e6 * unitsPerUs
const significantDigits = 3

let loaded: typeof Hdr | undefined
function hdr(): typeof Hdr {
  loaded ??= loadTool<typeof Hdr>('hdr-histogram-js')
  return loaded
}

export class Latencies {
  readonly #histogram: Hdr.Histogram

  constructor(histogram?: Hdr.Histogram) {
    this.#histogram =
      histogram ??
      hdr().build({
        lowestDiscernibleValue: 1,
        highestTrackableValue: longestUnits,
        numberOfSignificantValueDigits: significantDigits,
        bitBucketSize: 32,
      })
  }

  static decode(encoded: string): Latencies {
    return new Latencies(hdr().decodeFromCompressedBase64(encoded, 32))
  }

  static merge(encoded: readonly string[]): Latencies {
    const all = new Latencies()
    for (const each of encoded) all.#histogram.add(Latencies.decode(each).#histogram)
    return all
  }

  get count(): number {
    return this.#histogram.totalCount
  }

  record(us: number): void {
    this.#histogram.recordValue(Math.min(longestUnits, Math.max(1, Math.round(us * unitsPerUs))))
  }

  percentile(percentile: number): number {
    return this.#histogram.getValueAtPercentile(percentile) / unitsPerUs
  }

  encode(): string {
    return hdr().encodeIntoCompressedBase64(this.#histogram)
  }

  summary(): Figures {
    return {
      samples: this.count,
      p50Us: this.percentile(50),
      p90Us: this.percentile(90),
      p99Us: this.percentile(99),
      p999Us: this.percentile(99.9),
      maxUs: this.percentile(100),
    }
  }

  outcome(more: Figures = {}): Outcome {
    return { figures: { ...this.summary(), ...more }, histogram: this.encode() }
  }
}
