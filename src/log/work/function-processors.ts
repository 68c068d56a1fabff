/** The processors of a log whose handlers are functions of this thread: all end before the log does. */
import type { Engine } from '../../engine/engine.js'
import type { GroupInfo } from '../../engine/terms.js'
import { FunctionProcessor, type FunctionProcessorParts } from './function-processor.js'

interface RunningFunction {
  readonly topic: string
  readonly group: string
  readonly state: FunctionProcessor<never>['state']
  readonly error: Error | undefined
  end(): Promise<void>
}

const logs = new WeakMap<Engine, FunctionProcessors>()

/** Those of one log. */
export function functionProcessorsOf(engine: Engine): FunctionProcessors {
  let processors = logs.get(engine)
  if (processors === undefined) {
    processors = new FunctionProcessors()
    logs.set(engine, processors)
  }
  return processors
}

export class FunctionProcessors {
  readonly #running = new Set<RunningFunction>()
  /** For who looks what has become of a group: the last one that has failed, until another is started. */
  readonly #failed = new Map<string, RunningFunction>()

  start<T>(parts: Omit<FunctionProcessorParts<T>, 'onEnd'>): FunctionProcessor<T> {
    const { topic, group } = parts
    const processor: FunctionProcessor<T> = new FunctionProcessor<T>({
      ...parts,
      onEnd: () => {
        this.#running.delete(known)
        if (known.state === 'failed') this.#failed.set(nameOf(known), known)
      },
    })
    const known: RunningFunction = {
      ...{ topic: topic.name, group: group.name },
      get state() {
        return processor.state
      },
      get error() {
        return processor.error
      },
      end: () => processor.end(),
    }
    this.#running.add(known)
    this.#failed.delete(nameOf(known))
    return processor
  }

  /** As `Log.groups()` lists them. */
  of(topic: string, group: string): GroupInfo['processors'] {
    const name = nameOf({ topic, group })
    const failed = this.#failed.get(name)
    const all = [...this.#running].filter((each) => nameOf(each) === name)
    return [...all, ...(failed === undefined ? [] : [failed])].map(({ state, error }) => ({ state, error }))
  }

  get areRunning(): boolean {
    return this.#running.size > 0
  }

  /** Resolves when all have ended. */
  async end(): Promise<void> {
    await Promise.all([...this.#running].map((each) => each.end()))
  }
}

/** Names hold no slash. */
function nameOf({ topic, group }: Pick<RunningFunction, 'topic' | 'group'>): string {
  return `${topic}/${group}`
}
