import type { CaseName } from './cases/catalogue.js'
import type { ContenderName } from './contenders/catalogue.js'
import type { Figures } from './job.js'
import { pairedRatio, type Spread, spreadOf } from './statistics.js'

/** What every round of one case, one message size and one contender gave. */
export interface Series {
  readonly caseName: CaseName
  readonly messageBytes: number
  readonly contender: ContenderName
  readonly messages: number
  /** By round; undefined where the job failed. */
  readonly rounds: (Figures | undefined)[]
  failure?: string
}

/** Everything measured in one run. */
export class Results {
  readonly #series = new Map<string, Series>()

  record(key: Omit<Series, 'rounds' | 'failure'>, round: number, outcome: Figures | Error): void {
    const id = identify(key.caseName, key.messageBytes, key.contender)
    const series = this.#series.get(id) ?? { ...key, rounds: [] }
    this.#series.set(id, series)
    if (outcome instanceof Error) series.failure = outcome.message
    series.rounds[round] = outcome instanceof Error ? undefined : outcome
  }

  all(): Series[] {
    return [...this.#series.values()]
  }

  failures(): Series[] {
    return this.all().filter((series) => series.failure !== undefined)
  }

  get(caseName: CaseName, messageBytes: number, contender: ContenderName): Series | undefined {
    return this.#series.get(identify(caseName, messageBytes, contender))
  }

  /** Over the rounds; undefined where nothing was measured. */
  spread(caseName: CaseName, messageBytes: number, contender: ContenderName, figure: string): Spread | undefined {
    const values = this.#values(caseName, messageBytes, contender, figure).filter((value) => value !== undefined)
    return values.length === 0 ? undefined : spreadOf(values)
  }

  /** One contender's figure over another's, round by round. */
  ratio(
    caseName: CaseName,
    messageBytes: number,
    figure: string,
    numerator: ContenderName,
    denominator: ContenderName,
  ): Spread | undefined {
    return pairedRatio(
      this.#values(caseName, messageBytes, numerator, figure),
      this.#values(caseName, messageBytes, denominator, figure),
    )
  }

  #values(caseName: CaseName, messageBytes: number, contender: ContenderName, figure: string) {
    const rounds = this.get(caseName, messageBytes, contender)?.rounds ?? []
    return Array.from(rounds, (figures) => figures?.[figure])
  }
}

function identify(caseName: CaseName, messageBytes: number, contender: ContenderName): string {
  return `${caseName}/${messageBytes}/${contender}`
}
