/**
 * Tables of shared words: which there are, of what kind, and whose. Words are handed out by role: the owner of one gets all of it,
 * everybody else what cannot change it. Who stores where somebody else does is stopped by the compiler.
 *
 * Each has lines of the processor's cache for itself, so that nobody waits for a line because of its neighbour.
 */
import { Bell, type Rope } from './bell.js'
import { PositionCell } from './position-cell.js'
import { TurnWord } from './turn-word.js'
import { type Counter, type Loadable, Word } from './word.js'

/** `application`: the thread that appends, whichever of them that is. `flusher`: of writer and reaper the one whose turn it is, see turn-word.ts. */
export type Role = 'application' | 'writer' | 'reaper' | 'flusher' | 'reader'

const kinds = ['word', 'count', 'position', 'bell', 'turn'] as const
type Kind = (typeof kinds)[number]

export interface WordEntry<O extends Role, K extends Kind> {
  readonly owner: O
  readonly kind: K
}

/** A word of 32 bits. */
export const word = <O extends Role>(owner: O): WordEntry<O, 'word'> => ({ owner, kind: 'word' })
/** A number of 53 bits. */
export const position = <O extends Role>(owner: O): WordEntry<O, 'position'> => ({ owner, kind: 'position' })
/** Threads of this role add to it, and everybody may. */
export const count = <O extends Role>(owner: O): WordEntry<O, 'count'> => ({ owner, kind: 'count' })
/** Where threads of this role sleep. */
export const bell = <O extends Role>(owner: O): WordEntry<O, 'bell'> => ({ owner, kind: 'bell' })

/** What this role shares with others, one at a time: everybody takes it. */
export const turn = <O extends Role>(owner: O): WordEntry<O, 'turn'> => ({ owner, kind: 'turn' })

export type WordTable = Readonly<Record<string, WordEntry<Role, Kind>>>

interface OfOwner {
  word: Word
  count: Counter
  position: PositionCell
  bell: Bell
  turn: TurnWord
}

interface OfOthers {
  word: Loadable
  count: Counter
  position: Loadable
  bell: Rope
  turn: TurnWord
}

type Access<E, R extends Role> =
  E extends WordEntry<infer O, infer K> ? (O extends R ? OfOwner[K] : OfOthers[K]) : never

/** The words of a table as threads of the roles `R` have them; with none, to look at. */
export type WordsOf<T extends WordTable, R extends Role> = { readonly [N in keyof T]: Access<T[N], R> }

/** 128 bytes: two lines, since processors prefetch in pairs. */
const wordsInLine = 32
const lineBytes = wordsInLine * Int32Array.BYTES_PER_ELEMENT

/** Bytes that the words of a table take. */
export function tableBytes(table: WordTable): number {
  return Object.keys(table).length * lineBytes
}

/** @param at where the table begins in `shared`, in bytes; a multiple of its lines */
export function openWords<T extends WordTable, R extends Role>(
  table: T,
  shared: SharedArrayBuffer,
  at = 0,
): WordsOf<T, R> {
  const words = new Int32Array(shared, at)
  const opened = Object.entries(table).map(([name, { kind }], line) => [name, openWord(words, line, kind)])
  return Object.fromEntries(opened)
}

function openWord(words: Int32Array, line: number, kind: Kind): Word | PositionCell | Bell | TurnWord {
  const index = line * wordsInLine
  if (kind === 'turn') return new TurnWord(words, index)
  if (kind === 'position') return new PositionCell(words, index)
  // Whoever rings looks at the flag each time, and at the bell only where that is raised: they may share a line.
  return kind === 'bell' ? new Bell(words, index, index + 1) : new Word(words, index)
}
