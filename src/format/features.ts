/**
 * Feature words: what a log holds that an earlier release did not know, as bits, so that each release can tell what it may do with it.
 *
 * - `compatible`: may be ignored.
 * - `readOnlyCompatible`: whoever writes has to know it; readers need not.
 * - `incompatible`: without knowing it nobody reads the log right.
 *
 * They stand in the identity of the control file, for the log. A segment has one word, for itself, and every bit of that is
 * incompatible. Zeros: none, as in logs from before there were words. A bit is durable before its feature is first used, and never
 * cleared.
 */

export interface Features {
  compatible: number
  readOnlyCompatible: number
  incompatible: number
}

export const noFeatures: Readonly<Features> = { compatible: 0, readOnlyCompatible: 0, incompatible: 0 }

/**
 * What this release may write, each with its bit. Whoever hands such a thing to the writer puts in front of it, while the log does not say yet that it has
 * it, a frame that says so (guard-layout.ts): the writer waits there until the reaper has stated it in the control file.
 */
export const featureWords = {
  /** Registers, and journals of what transactions acknowledge: who does not know them would deliver that again. See hidden-topics.ts. */
  transactions: { ...noFeatures, readOnlyCompatible: 1 },
  /** Messages that count for a time only: who does not know them would deliver what has expired. See expiry-layout.ts. */
  expiry: { ...noFeatures, readOnlyCompatible: 2 },
  /** Scheduled messages: who does not know them would never deliver them. See hidden-topics.ts. */
  schedules: { ...noFeatures, readOnlyCompatible: 4 },
  /** Segments that are packed: their bytes do not stand where they say. See packed-layout.ts. */
  packed: { ...noFeatures, incompatible: 4 },
} as const satisfies Record<string, Features>

export type FeatureName = keyof typeof featureWords

/** Features of {@link featureWords} as threads tell each other of them: a bit for each, in that order. */
export type FeatureSet = number

const featureNames = Object.keys(featureWords) as FeatureName[]

export const noFeature: FeatureSet = 0

export function featureSet(name: FeatureName): FeatureSet {
  return 1 << featureNames.indexOf(name)
}

/** The words of these. */
export function featuresOf(set: FeatureSet): Features {
  return featureNames
    .filter((name) => (set & featureSet(name)) !== 0)
    .reduce<Features>((words, name) => joinFeatures(words, featureWords[name]), noFeatures)
}

/** Those that the words hold. */
export function setOf(words: Features): FeatureSet {
  return featureNames
    .filter((name) => sameFeatures(joinFeatures(words, featureWords[name]), words))
    .reduce((set, name) => set | featureSet(name), noFeature)
}

/** Of the word in the header of a segment. */
export const segmentFeature = { packed: 4 } as const

/** What this release knows. Compatible bits need not be known. */
export const knownFeatures = {
  ...Object.values(featureWords).reduce(joinFeatures, noFeatures),
  segment: segmentFeature.packed,
}

/** All bits of both. */
export function joinFeatures(one: Features, other: Features): Features {
  return {
    compatible: (one.compatible | other.compatible) >>> 0,
    readOnlyCompatible: (one.readOnlyCompatible | other.readOnlyCompatible) >>> 0,
    incompatible: (one.incompatible | other.incompatible) >>> 0,
  }
}

export function sameFeatures(one: Features, other: Features): boolean {
  return (
    one.compatible === other.compatible &&
    one.readOnlyCompatible === other.readOnlyCompatible &&
    one.incompatible === other.incompatible
  )
}

/** Why a log may not be opened so, as the rest of a sentence about it; undefined: it may. */
export function featuresFault(features: Features, access: 'read' | 'write'): string | undefined {
  const needed = unknownBits(features.incompatible, knownFeatures.incompatible)
  if (needed !== '') return `needs incompatible features that this release does not know (${needed}): use a later one`
  const owed = unknownBits(features.readOnlyCompatible, knownFeatures.readOnlyCompatible)
  if (access === 'read' || owed === '') return undefined
  return `has features that this release cannot write (${owed}): open it with readOnly, or use a later release`
}

/** The same of a segment, by the word in its header. */
export function segmentFault(features: number): string | undefined {
  const needed = unknownBits(features, knownFeatures.segment)
  return needed === '' ? undefined : `needs features that this release does not know (${needed}): use a later one`
}

/** For people: each bit with its value, as the documentation names it. Empty: all are known. */
function unknownBits(word: number, known: number): string {
  const bits: string[] = []
  for (let bit = 0; bit < 32; bit++) {
    const value = 2 ** bit
    if ((word & value & ~known) !== 0) bits.push(`0x${value.toString(16)}`)
  }
  return bits.length === 0 ? '' : `${bits.length === 1 ? 'bit' : 'bits'} ${bits.join(', ')}`
}
