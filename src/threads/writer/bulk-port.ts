/** Frames that did not fit the ring of a lane, as they arrive at the writer's end of the lane's port. */
import { type MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import { assert } from '../../errors.js'
import type { BulkSource } from './lane-intake.js'

export class BulkPort implements BulkSource {
  readonly #port: MessagePort
  /** An awaited append may be refused while an earlier one still waits for its turn. */
  readonly #early = new Map<number, Uint8Array>()

  constructor(port: MessagePort) {
    this.#port = port
  }

  take(id: number): Uint8Array {
    let frames = this.#early.get(id)
    while (frames === undefined) {
      const received = receiveMessageOnPort(this.#port) as { message: { id: number; frames: Uint8Array } } | undefined
      assert(received !== undefined, 'bulk frames are sent before the ring announces them')
      if (received.message.id === id) frames = received.message.frames
      else this.#early.set(received.message.id, received.message.frames)
    }
    this.#early.delete(id)
    return frames
  }

  close(): void {
    this.#port.close()
  }
}
