/** Opening a log in a directory: its lock, its threads, what they find; or everything put back, and a word that says why not. */
import { isFull, noSpaceError } from '../failures.js'
import { isOwnThread } from '../threads/own-threads.js'
import { LocalEngine } from './local-engine.js'
import { checkMappedBytes, fittingMessageBytes, type LocalOptions } from './local-options.js'
import { LockFile } from './lock-file.js'
import { warnOfMissingNative } from './native-parts.js'
import { notLoadedError } from './not-loaded-error.js'
import { callWriter, type StartingThreads, startThreads } from './starting-threads.js'

export async function openLocalEngine(options: LocalOptions): Promise<LocalEngine> {
  if (isOwnThread()) {
    const hint = 'a module that --import or --require loads opens it only if isMainThread (node:worker_threads) is true'
    throw new TypeError(`a log cannot be opened in a thread that belongs to another one: ${hint}`)
  }
  // A limit that cannot be right is refused before anything is made; an existing log is asked for its own size below.
  if (options.segmentBytes !== undefined) {
    fittingMessageBytes(options, options.segmentBytes)
    checkMappedBytes(options, options.segmentBytes)
  }
  const lock = options.readOnly ? undefined : await LockFile.open(options.directory)
  let starting: StartingThreads | undefined
  try {
    starting = startThreads(options)
    const { segmentBytes } = options
    // Under the first lock alone; the second is on what is made here.
    if (lock !== undefined && !(await lock.openControl())) {
      if (!(await starting.reaper.create({ segmentBytes, locks: lock.files })))
        throw lock.lockedError(options.directory)
      await lock.openControl()
    }
    const opened = await starting.reaper.open({
      segmentBytes,
      readOnly: options.readOnly,
      mapTtlMs: options.mapTtlMs,
      flushIntervalMs: options.flushIntervalMs,
      retention: options.retention,
      diskWatermarks: options.diskWatermarks,
      lockActive: options.lockActive,
      compress: options.compress,
      locks: lock?.files ?? [],
    })
    if (opened === false) throw lock?.lockedError(options.directory)
    if (opened.missingNative !== undefined) warnOfMissingNative(opened.missingNative)
    const maxMessageBytes = fittingMessageBytes(options, opened.segmentBytes)
    checkMappedBytes(options, opened.segmentBytes)
    await lock?.sign()
    await callWriter(starting, (writer) => writer.start(opened))
    await starting.follower?.start(opened)
    return new LocalEngine({ ...options, maxMessageBytes }, starting, opened, lock)
  } catch (error) {
    // Threads may be loading native code still, and to end one in that ends the process. Who answers has loaded.
    if (starting !== undefined) await callWriter(starting, (writer) => writer.close()).catch(() => {})
    await starting?.follower?.close()
    await starting?.reaper.close(false)
    await Promise.allSettled([starting?.reaper.terminate(), starting?.writer?.terminate()])
    starting?.bulk.close()
    await lock?.close()
    const notLoaded = notLoadedError(error)
    if (notLoaded !== undefined) throw notLoaded
    const { errno = 0 } = error as NodeJS.ErrnoException
    if (isFull(Math.abs(errno))) throw noSpaceError(Math.abs(errno), options.directory)
    throw error
  }
}
