/** One log under a random programme: every step tells what an application sees of it, but for the time. */
import type { Delivery, Group, Log, Message, Queue, Topic } from 'bookend'
import { text } from 'bookend'
import fc from 'fast-check'
import { collect } from '../scenarios/support.js'

const groupNames = ['g', 'h']

interface Given {
  readonly delivery: Delivery<string>
  /** Of the group, which a seek and a removal begin anew. */
  readonly era: number
}

/** What is known of a group without asking it. */
interface GroupSide {
  readonly group: Group<string>
  consumer: AsyncIterableIterator<Delivery<string>>
  era: number
  /** Everything that was given, settled or not, of earlier eras as well. */
  readonly given: Given[]
  /** What may still be with somebody. */
  readonly held: Set<Delivery<string>>
}

export class Program {
  readonly #topic: Topic<string>
  readonly #queue: Queue<string>
  readonly #sides: GroupSide[]

  constructor(log: Log, name: string) {
    this.#topic = log.topic(name, { codec: text })
    this.#queue = log.queue(name, { codec: text })
    this.#sides = groupNames.map((each) => {
      const group = this.#topic.group(each)
      return { group, consumer: group.consume(), era: 0, given: [], held: new Set() }
    })
  }

  append(value: string, key: string | undefined) {
    return this.#topic.append(value, { key })
  }

  appendMany(values: readonly string[]) {
    return this.#topic.appendMany(values, { headers: { many: `${values.length}` } })
  }

  async offer(value: string) {
    while (!this.#topic.offer(value)) await this.#topic.ready()
    // What is acknowledged behind it shows that it has its place.
    return this.#topic.append('behind an offer')
  }

  async trim(part: number) {
    return this.#topic.trim(await this.#offsetAt(part))
  }

  async get(part: number) {
    return plain(await this.#topic.get(await this.#offsetAt(part)))
  }

  async getMany(parts: readonly number[]) {
    const offsets = await Promise.all(parts.map((part) => this.#offsetAt(part)))
    return (await this.#topic.getMany(offsets)).map(plain)
  }

  async read(from: number, to: number) {
    const range = { from: await this.#offsetAt(from), to: await this.#offsetAt(to) }
    return (await collect(this.#topic.read(range))).map(plain)
  }

  /** Asks only where something must come: what is neither acknowledged nor with somebody. */
  async consume(which: number) {
    const side = this.#sides[which]
    const { lag } = await side.group.position()
    const { first } = await this.#topic.bounds()
    if (lag <= [...side.held].filter(({ offset }) => offset >= first).length) return 'nothing to come'
    const { value } = await side.consumer.next()
    if (value === undefined) return 'ended'
    side.given.push({ delivery: value, era: side.era })
    side.held.add(value)
    return { ...plain(value), attempt: value.attempt }
  }

  async settle(which: number, how: 'ack' | 'nack', index: number) {
    const side = this.#sides[which]
    if (side.given.length === 0) return 'nothing given'
    const { delivery, era } = side.given[index % side.given.length]
    await delivery[how]()
    if (how === 'nack') side.held.delete(delivery)
    else if (era === side.era)
      // A late acknowledgement is one for whoever has the message now.
      for (const each of side.held) if (each.offset === delivery.offset) side.held.delete(each)
    return delivery.offset
  }

  async seek(which: number, part: number) {
    const side = this.#sides[which]
    const to = part < 0.1 ? 'first' : part > 1 ? 'next' : await this.#offsetAt(part)
    await side.group.seek(to)
    this.#beginAnew(side)
  }

  async endConsumer(which: number) {
    const side = this.#sides[which]
    await side.consumer.return?.()
    side.consumer = side.group.consume()
    side.held.clear()
  }

  async remove(which: number) {
    const side = this.#sides[which]
    await side.group.remove()
    const ended = await side.consumer.next()
    side.consumer = side.group.consume()
    this.#beginAnew(side)
    return ended
  }

  pop() {
    return this.#queue.pop()
  }

  clear() {
    return this.#queue.clear()
  }

  async browse() {
    return collect(this.#queue.browse())
  }

  /** What can be seen without changing anything. */
  async state() {
    return {
      bounds: await this.#topic.bounds(),
      positions: await Promise.all(this.#sides.map(({ group }) => group.position())),
      size: await this.#queue.size(),
      peek: await this.#queue.peek(),
    }
  }

  async contents() {
    const messages = (await collect(this.#topic.read().batches())).flat()
    for (const { consumer } of this.#sides) await consumer.return?.()
    return { messages: messages.map(plain), left: await this.browse() }
  }

  #beginAnew(side: GroupSide): void {
    side.era += 1
    side.held.clear()
  }

  /** A part of the topic, by what there is: a little below the beginning and behind the end are asked for as well. */
  async #offsetAt(part: number): Promise<number> {
    const { first, next } = await this.#topic.bounds()
    return Math.max(0, Math.floor(first - 1 + part * (next - first + 2)))
  }
}

export interface Step {
  readonly name: string
  run(program: Program): Promise<unknown>
}

function plain(message: Message<string> | undefined) {
  if (message === undefined) return undefined
  const { topic, offset, value, keyText, headers } = message
  return { topic, offset, value, keyText, headers }
}

const part = fc.integer({ min: 0, max: 11 }).map((tenths) => tenths / 10)
const which = fc.nat({ max: groupNames.length - 1 })
const word = fc.string({ maxLength: 12 })

/** How often each step comes, what it asks for, and what it does. */
export const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    step('append', 6, fc.tuple(word, fc.option(word, { nil: undefined })), (program, args) => program.append(...args)),
    step('appendMany', 5, fc.array(word, { maxLength: 20 }), (program, values) => program.appendMany(values)),
    step('offer', 3, word, (program, value) => program.offer(value)),
    step('trim', 1, part, (program, at) => program.trim(at)),
    step('get', 2, part, (program, at) => program.get(at)),
    step('getMany', 2, fc.array(part, { maxLength: 8 }), (program, parts) => program.getMany(parts)),
    step('read', 2, fc.tuple(part, part), (program, range) => program.read(...range)),
    step('consume', 12, which, (program, group) => program.consume(group)),
    step('settle', 12, fc.tuple(which, fc.constantFrom('ack', 'nack'), fc.nat()), (program, args) =>
      program.settle(...args),
    ),
    step('seek', 2, fc.tuple(which, part), (program, args) => program.seek(...args)),
    step('endConsumer', 1, which, (program, group) => program.endConsumer(group)),
    step('remove', 1, which, (program, group) => program.remove(group)),
    step('pop', 5, fc.constant(undefined), (program) => program.pop()),
    step('clear', 1, fc.constant(undefined), (program) => program.clear()),
    step('browse', 1, fc.constant(undefined), (program) => program.browse()),
  ),
  { minLength: 10, maxLength: 80, size: 'max' },
)

function step<A>(
  name: string,
  weight: number,
  args: fc.Arbitrary<A>,
  run: (program: Program, args: A) => Promise<unknown>,
): fc.WeightedArbitrary<Step> {
  const made = (given: A): Step => {
    const step = { name, run: (program: Program) => run(program, given) }
    return Object.assign(step, { [fc.toStringMethod]: () => `${name}(${fc.stringify(given)})` })
  }
  return { arbitrary: args.map(made), weight }
}
