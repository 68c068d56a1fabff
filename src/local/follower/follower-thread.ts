/** The thread that follows another process's log, as the application's thread sees it. There is one, and no other in its place. */
import { MessageChannel, type MessagePort, receiveMessageOnPort, Worker } from 'node:worker_threads'
import { BookendError, fromPortable } from '../../errors.js'
import type { GroupState } from '../../format/group-layout.js'
import { ControlChannel } from '../../threads/control-plane.js'
import type {
  FollowedGroup,
  FollowerControl,
  FollowerData,
  FollowerNews,
  Hearing,
  TakenGroup,
} from '../../threads/follower/follower-protocol.js'
import { inheritedFlags } from '../../threads/own-threads.js'
import type { OpenedLog } from '../../threads/protocol.js'
import type { SharedMemory } from '../../threads/shared-memory.js'
import { OwnEar } from './own-ear.js'

export interface FollowerListener {
  /** The owner has made a topic. */
  onTopic(id: number, name: string): void
  /** This thread has taken in something by itself. */
  onPublished(): void
  /** A look failed; the next one tries again. */
  onError(code: string, message: string): void
  /** Nothing new comes any more. */
  onEnd(error: BookendError): void
}

export class FollowerThread {
  readonly #shared: SharedMemory
  readonly #worker: Worker
  readonly #control: ControlChannel<FollowerControl>
  readonly #news: MessagePort
  readonly #exited: Promise<void>
  #listener: FollowerListener | undefined
  #ear: OwnEar | undefined
  #hearing: Hearing = { by: 'looks', because: undefined }
  #isClosing = false

  constructor(shared: SharedMemory, flushIntervalMs: number) {
    this.#shared = shared
    const news = new MessageChannel()
    // A bare literal: bundlers find the worker by it.
    this.#worker = new Worker(new URL('../../../workers/follower.cjs', import.meta.url), {
      ...inheritedFlags(),
      name: 'bookend-follower',
      workerData: { isOwnThread: true, shared, flushIntervalMs, news: news.port2 } satisfies FollowerData,
      transferList: [news.port2],
    })
    this.#control = new ControlChannel<FollowerControl>(this.#worker, 'follower')
    this.#news = news.port1
    let cause: unknown
    this.#worker.once('error', (error) => {
      cause = error
    })
    this.#exited = new Promise((resolve) => {
      this.#worker.once('exit', (exitCode) => {
        this.#ear?.close()
        if (!this.#isClosing) this.#listener?.onEnd(deathError(exitCode, cause))
        this.#news.close()
        resolve()
      })
    })
  }

  /** How it hears of what is published, as of the last news. */
  get hearing(): Hearing {
    return this.#hearing
  }

  /** Follows what the reaper has opened. Resolves when everything is known that was published before. */
  async start(opened: OpenedLog): Promise<void> {
    const { id, segmentBytes } = opened
    this.#hearing = await this.#control.remote.start(opened)
    this.#ear = new OwnEar({ shared: this.#shared, id, segmentBytes, onPublished: () => this.#listener?.onPublished() })
  }

  /** From here on news are told. The thread does not keep the process alive. */
  attend(listener: FollowerListener): void {
    this.#listener = listener
    this.#news.on('message', this.#onNews)
    this.#worker.unref()
    this.#news.unref()
  }

  /** What the thread has said by now is told at once. */
  drain(): void {
    for (let next = receiveMessageOnPort(this.#news); next !== undefined; next = receiveMessageOnPort(this.#news))
      this.#onNews(next.message as FollowerNews)
  }

  takeGroup(topic: string, name: string, committed: number): Promise<TakenGroup> {
    return this.#control.remote.takeGroup(topic, name, committed)
  }

  removeGroup(id: number): Promise<void> {
    return this.#control.remote.removeGroup(id)
  }

  stateOf(topic: string, name: string): Promise<GroupState | undefined> {
    return this.#control.remote.stateOf(topic, name)
  }

  groupNames(): Promise<FollowedGroup[]> {
    return this.#control.remote.groupNames()
  }

  async close(): Promise<void> {
    this.#isClosing = true
    this.#ear?.close()
    const isDone = await this.#control.remote.close().then(
      () => true,
      () => false,
    )
    if (isDone) await this.#exited
    await this.terminate()
  }

  async terminate(): Promise<void> {
    this.#isClosing = true
    await this.#worker.terminate()
  }

  readonly #onNews = (news: FollowerNews): void => {
    const listener = this.#listener
    if (news.type === 'topic') listener?.onTopic(news.id, news.name)
    else if (news.type === 'hearing') this.#hearing = news.hearing
    else if (news.type === 'bell') this.#ear?.listen(news.number)
    else if (news.type === 'error') listener?.onError(news.code, news.message)
    else {
      this.#ear?.close()
      listener?.onEnd(fromPortable(news.error) as BookendError)
    }
  }
}

function deathError(exitCode: number, cause: unknown): BookendError {
  const message = `the thread that follows the log died (exit code ${exitCode}): what is known can be read, but nothing new comes until the log is opened again`
  return new BookendError('BOOKEND_WORKER', message, { cause })
}
