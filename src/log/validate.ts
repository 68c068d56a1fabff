/** Checks of what callers pass. Everything is checked here, before anything is written; inside, arguments are trusted. */
import { maxIdBytes, maxNameBytes, namePattern } from '../limits.js'
import { bytes, type Codec } from '../messages/codec.js'
import { isShortAscii } from './utf8.js'

/** Of what is not known, so many names and so much of a text are shown. */
const fewNames = 5
const clippedLength = 40

/** @throws TypeError, RangeError */
export function checkName(kind: string, name: unknown): string {
  if (typeof name !== 'string') throw new TypeError(`a ${kind} name is a string, not ${describe(name)}`)
  if (!namePattern.test(name)) {
    throw new RangeError(
      `${JSON.stringify(clipped(name))} is no ${kind} name: 1 to ${maxNameBytes} of A-Z a-z 0-9 . _ -, not starting with a dot`,
    )
  }
  return name
}

export function checkOffset(what: string, value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`${what} is a number, not ${describe(value)}`)
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${what} is an integer >= 0, not ${value}`)
  return value
}

export function checkId(id: unknown): string {
  if (typeof id !== 'string') throw new TypeError(`id is a string, not ${describe(id)}`)
  if (id.length > 0 && isShortAscii(id)) return id
  const length = Buffer.byteLength(id)
  if (length < 1 || length > maxIdBytes) throw new RangeError(`an id has 1 to ${maxIdBytes} bytes, not ${length}`)
  // What has no half is written as U+FFFD, like another.
  if (/\p{Surrogate}/u.test(id)) throw new RangeError('an id is well-formed Unicode')
  return id
}

export function checkTime(what: string, value: unknown): number {
  const time = value instanceof Date ? value.getTime() : value
  if (typeof time !== 'number')
    throw new TypeError(`${what} is a Date or a number of milliseconds, not ${describe(value)}`)
  if (Number.isNaN(time)) throw new RangeError(`${what} is not a valid time`)
  return time
}

/** An offset, or a time. @throws TypeError, RangeError */
export function checkPlace(what: string, place: unknown): void {
  if (place instanceof Date) checkTime(what, place)
  else checkOffset(`${what} (an offset or a Date)`, place)
}

export function checkInteger(what: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw new TypeError(`${what} is a number, not ${describe(value)}`)
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new RangeError(`${what} is an integer from ${min} to ${max}, not ${value}`)
  }
  return value
}

/** A time span in ms; fractions are fine. */
export function checkSpan(what: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw new TypeError(`${what} is a number of milliseconds, not ${describe(value)}`)
  if (!(value >= min && value <= max))
    throw new RangeError(`${what} is a number of milliseconds from ${min} to ${max}, not ${value}`)
  return value
}

export function checkOneOf<T extends string>(what: string, value: unknown, allowed: readonly T[]): T {
  if (!(allowed as readonly unknown[]).includes(value)) {
    const list = allowed.map((each) => `'${each}'`).join(', ')
    throw typeof value === 'string'
      ? new RangeError(`${what} is one of ${list}, not '${clipped(value)}'`)
      : new TypeError(`${what} is one of ${list}, not ${describe(value)}`)
  }
  return value as T
}

export function checkBoolean(what: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError(`${what} is true or false, not ${describe(value)}`)
  return value
}

/** A part of a whole. */
export function checkFraction(what: string, value: unknown): number {
  if (typeof value !== 'number') throw new TypeError(`${what} is a number, not ${describe(value)}`)
  if (!(value > 0 && value <= 1)) throw new RangeError(`${what} is a fraction above 0 and up to 1, not ${value}`)
  return value
}

export function checkSignal(signal: unknown): AbortSignal | undefined {
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError('signal is an AbortSignal')
  return signal
}

/** @throws TypeError naming the keys that are not known: a misspelt option must not be ignored */
export function checkKeys(what: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    const takes = what.endsWith('()') ? `${what} takes an object with options` : `${what} is an object`
    throw new TypeError(`${takes}, not ${describe(options)}`)
  }
  // Inherited ones are not theirs to be called misspelt; so the list, which takes longer, is made where there is something to tell.
  for (const key in options) {
    if (known.includes(key) || !Object.hasOwn(options, key)) continue
    const unknown = Object.keys(options).filter((other) => !known.includes(other))
    const shown = unknown.length > fewNames ? [...unknown.slice(0, fewNames), '...'] : unknown
    throw new TypeError(`${what} has no option ${shown.join(', ')}: only ${known.join(', ')}`)
  }
}

/** Undefined: values are bytes. @throws TypeError */
export function checkCodec<T>(codec: Codec<T> | undefined): Codec<T> {
  if (codec === undefined) return bytes as unknown as Codec<T>
  const { encode, decode, encodeInto } = (codec ?? {}) as Partial<Codec<T>>
  if (typeof encode !== 'function' || typeof decode !== 'function')
    throw new TypeError(`codec has the functions encode and decode: it is json, text, bytes, or one of your own`)
  if (encodeInto !== undefined && typeof encodeInto !== 'function')
    throw new TypeError(`encodeInto of a codec is a function, if it is there, not ${describe(encodeInto)}`)
  return codec
}

/** A module for the reader threads, as they import it. @throws TypeError, RangeError */
export function moduleUrl(module: unknown): string {
  if (module instanceof URL) return module.href
  if (typeof module !== 'string') throw new TypeError('module is a URL or a path')
  if (/^(file|data|node):/.test(module)) return module
  throw new RangeError(
    `module ${JSON.stringify(module)} is not a URL: pass new URL('./module.js', import.meta.url), or pathToFileURL(path)`,
  )
}

function clipped(text: string): string {
  return text.length > clippedLength ? `${text.slice(0, clippedLength)}...` : text
}

/** A value as a message names it, by its kind. */
export function describe(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  if (typeof value !== 'object') return typeof value
  const named = isPlainObject(value) ? undefined : (value as object).constructor
  return named === undefined ? 'a plain object' : `a ${named.name}`
}

/** No array and no instance of a class, which might have a `toJSON`; of any realm. */
export function isPlainObject(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false
  const prototype = Object.getPrototypeOf(value) as object | null
  return prototype === null || (Object.getPrototypeOf(prototype) === null && !Array.isArray(value))
}
