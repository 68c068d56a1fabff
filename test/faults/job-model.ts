/** What may become of the jobs of one queue, by the lines that its calls have written before and behind what they did. */

export interface Job {
  readonly number: number
  /** What each attempt does; it goes well behind the last. */
  readonly plan: readonly string[]
  readonly delayMs: number
}

export interface JobQueue {
  readonly name: string
  readonly kind: 'function' | 'module' | 'thread'
  /** By the life of the process that pushes them. */
  readonly jobs: readonly (readonly Job[])[]
  /** Between two disturbances. */
  readonly pauseMs: number
  readonly options: {
    readonly retries: number
    readonly timeoutMs: number
    readonly deadLetter: string
    readonly [option: string]: unknown
  }
}

interface Call {
  readonly attempt: number
  /** Process and thread. */
  readonly thread: string
  readonly beganMs: number
  end: 'fails' | 'done' | undefined
}

interface Told {
  /** The push has resolved. */
  isPushed: boolean
  readonly calls: Call[]
}

/** A worker was paused or stopped, or its thread ended, a little before or behind the line that says so. */
const disturbanceMs = 1_000

/** @param lines of all queues, in their order. The last one may be cut */
export function faultsOf(
  queue: JobQueue,
  lines: string,
  letters: readonly { number: number; attempts: number }[],
): { pushed: number; lost: string[]; twice: string[]; wrong: string[] } {
  const { told, disturbances } = read(queue, lines)
  const [lost, twice, wrong]: string[][] = [[], [], []]
  const plans = new Map(queue.jobs.flat().map((job) => [job.number, job.plan]))
  const { retries, timeoutMs } = queue.options
  for (const [number, { isPushed, calls }] of told) {
    const plan = plans.get(number) ?? []
    const own = letters.filter((letter) => letter.number === number)
    const isDone = calls.some(({ end }) => end === 'done')
    const story = `job ${number} (${plan.join(' ') || 'ok'}; ${retries} retries): ${calls.map(tell).join(', ')}; ${own.length} letters`
    if (isPushed && !isDone && own.length === 0) lost.push(`${story}: lost`)
    if (own.length > 1) twice.push(`${story}: several letters`)
    if (isDone && own.length > 0) wrong.push(`${story}: done, and given up`)
    for (const { attempts } of own)
      if (attempts !== retries + 1) wrong.push(`${story}: given up after ${attempts} attempts`)
    if (calls.length > 0 && calls[0].attempt !== 1) wrong.push(`${story}: did not begin with the first attempt`)
    for (let index = 1; index < calls.length; index++) {
      const what = judge(calls[index - 1], calls[index], plan, timeoutMs, disturbances)
      if (what !== undefined) wrong.push(`${story}: ${what}`)
    }
    const last = calls.at(-1)
    if (own.length > 0 && last?.attempt !== retries + 1) wrong.push(`${story}: given up early`)
  }
  return { pushed: [...told.values()].filter(({ isPushed }) => isPushed).length, lost, twice, wrong }
}

function judge(
  before: Call,
  call: Call,
  plan: readonly string[],
  timeoutMs: number,
  disturbances: readonly number[],
): string | undefined {
  const planned = plan[before.attempt - 1] ?? 'ok'
  // The time given begins to run before the handler has written its line, which takes long on a busy machine.
  const isLate = call.beganMs - before.beganMs >= timeoutMs / 2
  const isOtherProcess = call.thread.split('-')[0] !== before.thread.split('-')[0]
  const isDisturbed = disturbances.some(
    (ms) => ms >= before.beganMs - disturbanceMs && ms <= call.beganMs + disturbanceMs,
  )
  const mayBeCut = isOtherProcess || isDisturbed
  const endsThread = ['exits', 'eats'].includes(planned)
  if (before.end === 'done' && !isOtherProcess && !(isDisturbed && call.thread !== before.thread) && !isLate)
    return `run again behind ${tell(before)}, which was done`
  if (before.end === undefined && !mayBeCut && !endsThread && !isLate)
    return `run at once with ${tell(before)}, which had not ended`
  const hasFailed = before.end === 'fails' || endsThread || isLate
  if (call.attempt === before.attempt + 1)
    return hasFailed ? undefined : `another attempt, and ${tell(before)} had not failed`
  if (call.attempt === before.attempt) return mayBeCut ? undefined : `the same attempt again, and nothing was cut short`
  return `attempt ${call.attempt} behind ${before.attempt}`
}

function read({ name }: JobQueue, lines: string) {
  const told = new Map<number, Told>()
  const disturbances: number[] = []
  for (const line of lines.split('\n').slice(0, -1)) {
    const [word, of, number, attempt, thread, time] = line.split(' ')
    if (of !== name) continue
    if (word === 'disturbs') {
      disturbances.push(Number(number))
      continue
    }
    const one = told.get(Number(number)) ?? { isPushed: false, calls: [] }
    told.set(Number(number), one)
    if (word === 'pushed') one.isPushed = true
    else if (word === 'begins')
      one.calls.push({ attempt: Number(attempt), thread, beganMs: Number(time), end: undefined })
    else {
      const call = one.calls.findLast((each) => each.attempt === Number(attempt) && each.thread === thread)
      if (call !== undefined) call.end = word as 'fails' | 'done'
    }
  }
  return { told, disturbances }
}

function tell({ attempt, thread, end }: Call): string {
  return `${attempt} in ${thread} ${end ?? 'cut short'}`
}
