/**
 * Every bound of the system in one place, unit last, with the reason and the relations between them.
 */
import { endianness } from 'node:os'

const KiB = 1024
const MiB = 1024 * KiB

/** Frames, batches and segments start at multiples of this, so that 32-bit words can be read in place. */
export const alignmentBytes = 8

export const minSegmentBytes = 1 * MiB
/** One file per mapping, offset 0, and mmap-io keeps sizes in 32 bits: far below 2 GiB. */
export const maxSegmentBytes = 1024 * MiB
export const segmentGranuleBytes = 64 * KiB
export const defaultSegmentBytes = 128 * MiB

export const minRingBytes = 64 * KiB
export const maxRingBytes = 512 * MiB
export const defaultRingBytes = 8 * MiB
/** A larger append travels by transfer, with a placeholder in the ring: the ring never holds fewer than four frames. */
export const ringShareForOneAppend = 4

export const defaultMaxMessageBytes = 16 * MiB

/** A run of frames is cut into batches of about this size: what one CRC covers, and what a single lookup has to verify. */
export const maxBatchBytes = 64 * KiB
/** Groups with guards are copied together up to this: a batch, with its header and some declarations. */
export const maxStagedBytes = maxBatchBytes - 4 * KiB
/** Long batches are gathered up to about this much for one write: the kernel takes 512 KiB at twice the rate of 64. */
export const gatherBytes = 512 * KiB
/** Kept free at the end of each segment for trims and for topics declared anew: what frees space must not need any. */
export const declarationReserveBytes = 4 * KiB
/**
 * From this size on a batch goes to the file by `pwritev` instead of through the mapping. For the writer alone the two are even at
 * 16 KiB (13 us against 22 us at 64, 4 us against 1.4 at 4), but pages for the mapping have to be zeroed before, which the reaper
 * does on the same cores: with 1,000 appends in flight, batches of 16 KiB, `pwritev` saves 150 to 200 ns of system time a message
 * and gives a quarter to a third more of them; with 100 in flight, 12 KiB, there is no difference. Ext4, Linux 6.18.
 */
export const directWriteBytes = 14 * KiB
/**
 * The writer does not map a segment if less than this share of the one before was short batches: long ones need no mapping. V8
 * takes a mapping for memory outside of its heap, and collects that heap twice a segment on every core it can get: of what `offer`
 * takes in at full speed that cost a sixth. It is mapped after all once so many short batches have come in a row, or nothing for
 * so long, in ms.
 */
export const storedShareToMap = 1 / 16
export const shortBatchesToMap = 16
export const quietMsToMap = 5
/** What a reader copies out under one pin, and what travels to the application thread in one piece. */
export const chunkBytes = 256 * KiB
/** Bounds one batch from a hostile or damaged header before anything is allocated; a batch never crosses a segment. */
export const maxNameBytes = 200
/** Names of topics, groups and queues. */
export const namePattern = new RegExp(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,${maxNameBytes - 1}}$`)

/** 16 bytes of shared memory each, committed by the kernel on first use only. */
export const maxTopics = 2 ** 20
/** Consumer groups of one log: a row of about 550 bytes of shared memory each, a cell of 2 KiB in the file. A power of two. */
export const maxGroups = 4096
/** Acknowledged ranges above the committed offset that are kept with it: what one sector holds beside its header. */
export const maxGroupRanges = 29
/** Rows of the mapping table. The kernel allows 65,530 mappings a process; the library stays far below. */
export const maxSlots = 1024
/** Address space of all mappings of a log together, unless its owner says otherwise. */
export const defaultMaxMappedBytes = 64 * 1024 * MiB
/** The writer maps the active segment, the next one, and for a moment the one it has left; a reader needs one. */
export const writerMappings = 3
export const minMappedSegments = writerMappings + 1
/** Mappings one reader thread keeps before it gives back its least recently used one. */
export const maxWindowsPerReader = 128

/** What lookups keep of indexes, in each reader thread that is asked for records, until its mappings are retired: 16 MiB, a million entries. */
export const indexPageBytes = 4 * KiB
export const maxIndexPages = 4096
/** A segment is packed only where that makes it shorter than this share of what it was. */
export const maxPackedShare = 0.9
/** Of packed segments, in each thread that reads: 64 KiB each, so 4 MiB. More than the chunks that one reader is in the middle of. */
export const maxUnpackedBlocks = 64
/** The same of side indexes, whose pages are as long: 16 MiB, two million rows. */
export const maxSidePages = 4096
/**
 * Reads on the calling thread: how many of the newest segments it may have open, and for how many ms of not reading it keeps them. A record
 * of a batch longer than this is left to a reader thread, which hands its memory over instead of copying it there.
 */
export const maxHotSegments = 128
export const hotIdleMs = 30_000
export const maxHotBatchBytes = chunkBytes
/** The first chunk of a stream that is read there: a tenth of a ms. */
export const hotChunkBytes = 64 * KiB
/** Segments with more topics than that are left to reader threads: their directory would take too long to take apart. */
export const maxHotTopics = 4096
/**
 * Of a segment without index the calling thread keeps one row for each topic in so many bytes: 24 bytes at most, and in a segment no more than
 * 6 MiB, a topic counted as so many rows.
 */
export const mapRowBytes = 4 * KiB
export const maxMapRows = 2 ** 18
export const rowsPerMappedTopic = 16
/**
 * What it keeps of verified batches, with what one takes at least; of segments without index the place of one record in so many bytes besides.
 * Batches of full size: those of half a GiB without index, of several GiB with one.
 */
export const maxKnownBytes = 8 * MiB
export const knownBatchBytes = 256
export const placeStepBytes = 2 * KiB
/** What the thread that opens a log hands over of footers: of a log with a hundred topics those of some 160 segments. */
export const maxHandedFooterBytes = MiB
/** The reaper reads in the place of readers where it has no more than this to walk, and no more footers than that to look at: tens of ms. */
export const standInBytes = 32 * MiB
export const standInSegments = 1024
/** Batches whose length and time lookups keep, as a power of two: 320 KiB; of batches of full size, those of a GiB. */
export const rememberedBatchesLog2 = 14

/** Segments the reaper keeps ready behind the active one. It makes no more ahead: storage/segment-ages.ts reads ages off that. */
export const preparedSegments = 2
/**
 * Blocks are allocated at least this far ahead of the writer; twice as far, up to whole segments, where that lasts for less than so
 * many ms: an allocation may have to wait for the journal of the file system.
 */
export const allocateAheadBytes = 16 * MiB
export const allocateQuietMs = 250
/**
 * Blocks end at multiples of this in a segment: the first store into a page asks for blocks for the whole folio it is part of, and
 * a folio of the page cache, which is aligned to its size, must not reach into a hole. Linux makes them of up to 2 MiB.
 */
export const blockStepBytes = 2 * MiB
/**
 * The writer does not roll further than this (or two segments) ahead of the last segment that is flushed and indexed. It
 * bounds what a recovery has to read after a crash (about half a second) and the dirty memory of the process, at the
 * price that a sustained stream faster than the disk is finally slowed to the disk's rate.
 */
export const maxUnflushedBytes = 512 * MiB
/** What a topic may be indexed by, beside its keys. */
export const maxIndexedHeaders = 16
export const maxIndexedNameBytes = 1_024
/** Sealed segments are indexed when nothing was appended for this long, or when the log is this far ahead of its indexes. */
export const indexQuietMs = 40
export const indexAnywayBytes = maxUnflushedBytes / 2
export const indexAnywaySegments = 8
/**
 * What the writer hands over about the batches of segments that have no index yet: four bytes a record where a topic's records come together,
 * and 20 a batch. A power of two. Enough for four segments of messages of 100 bytes, or one of the shortest; untouched, it costs nothing.
 */
export const rowMemoryBytes = 16 * MiB
/** How far ahead of the writer page faults are taken, and in which steps (a step holds the process's map lock). */
export const prefaultAheadBytes = 4 * MiB
export const prefaultStepBytes = 512 * KiB
/** A mapping is retired in pieces of this size, for the same lock's sake. */
export const retireStepBytes = 8 * MiB

/** Segments deleted in one pass, by bytes and by number, and the pause behind it: unlinking competes with appends for the journal. */
export const deletePassBytes = 256 * MiB
export const maxSegmentsPerPass = 64
export const deletePauseMs = 100
/** Below this, what is dead in a segment is not worth writing it anew, whatever part of it that is. */
export const minReclaimBytes = 64 * KiB
/** The part of a segment that has to be dead, where a topic's retention does not say. */
export const usualMinDirty = 0.5
/** How long a tombstone stays at least, where a topic's retention does not say. */
export const usualTombstoneMs = 86_400_000
/**
 * How often all sealed segments are looked through for what is dead in them: while messages are appended and acknowledged, and
 * otherwise, since time alone may let some go. And how long nothing is tried after a device has refused.
 */
export const reclaimLookMs = 1_000
export const reclaimIdleMs = 60_000
export const reclaimRetryMs = 60_000
/**
 * Packing: how often at least it is looked whether a segment is old enough, since clocks jump; how long nothing is tried after a device has
 * refused; and how many times as long as it has worked it rests while messages are appended, up to some ms.
 */
export const packLookMs = 60_000
export const packRetryMs = 60_000
export const packRestShare = 9
export const maxPackRestMs = 50
/** Topics of segments that retention looks at in one step, beyond those of one segment: flushes wait meanwhile. */
export const maxRowsPerStep = 16_384
/** How often it is looked whether the topics that keep the oldest segment could be moved, while nothing is seen to have changed. */
export const moveLookMs = 1_000
/** How often the use of the file system is looked at, where somebody asked for it. */
export const diskLookMs = 1_000

/** An owner that writes looks this often whether the log is still its own: two calls, far rarer than a second owner could open. */
export const ownerLookMs = 10
export const defaultFlushIntervalMs = 500
export const defaultMapTtlMs = 30_000
/** How often a full disk is asked again while an append waits for a segment. */
export const allocateRetryMs = 50
/** Longer timers overflow in Node, and fire at once. */
export const maxTimerMs = 2 ** 31 - 1
/** Ceiling of every sleep: a missed wake-up would cost this much and no more. */
export const maxSleepMs = 10_000

const relations: [string, boolean][] = [
  ['little-endian machine (the formats are read in place)', endianness() === 'LE'],
  ['segments stay below 2 GiB', maxSegmentBytes < 2 ** 31],
  ['a segment is a whole number of granules', minSegmentBytes % segmentGranuleBytes === 0],
  ['a batch fits the smallest segment many times', maxBatchBytes * 8 <= minSegmentBytes],
  ['a batch fits a chunk', maxBatchBytes < chunkBytes],
  ['the order of commits wraps with their 32-bit numbers', Number.isInteger(Math.log2(maxGroups))],
]
for (const [what, holds] of relations) if (!holds) throw new Error(`Bookend cannot run here: ${what} does not hold`)

export function alignUp(bytes: number): number {
  return (bytes + (alignmentBytes - 1)) & -alignmentBytes
}

/** The largest number of a register. */
export const maxRegisterValue = Number.MAX_SAFE_INTEGER - 1
/** Topics of one transaction. */
export const maxTransactionTopics = 1024

/** The header in which the id of a message stands. */
export const idHeader = 'bookend-id'
/** That in which stands until when it counts. */
export const expiresHeader = 'bookend-expires'
/** That of a message which says that there is nothing any more under its key. */
export const tombstoneHeader = 'bookend-tombstone'
export const maxIdBytes = 1024
/** What `entries()` holds at once in a reader thread: so many keys, and about so many bytes of them. With more it reads the topic again for the others. */
export const maxLatestKeys = 2 ** 20
export const maxLatestKeyBytes = 32 << 20
/** A topic of fewer messages is looked through by the thread that asks. */
export const fewEntries = 16_384
/** What is superseded while somebody reads the state of a topic stays for so long, from when he began. */
export const keptStateMs = 60_000

/** Ids of a topic are remembered for so long, and at most so many: see docs/conditions.md. */
export const defaultIdWindowMs = 120_000
export const defaultMaxIds = 1_000_000
export const maxIdWindowMs = 7 * 86_400_000
export const maxMaxIds = 10_000_000

/** The latest time that a Date can have, ms since the epoch. */
export const maxTime = 8.64e15
/** Headers by which a message is kept until it is due, and the most that they and the mark of its delivery come to. */
export const laterHeaderPrefix = 'bookend-later-'
export const laterMessageBytes = 4 * KiB
