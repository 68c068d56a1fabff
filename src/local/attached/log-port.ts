/** What a thread is given to get into a log, as it travels: a port, and the word that says whether it can still be used. */
import { types } from 'node:util'
import { MessageChannel, MessagePort, receiveMessageOnPort } from 'node:worker_threads'
import type { LogPort } from '../../engine/terms.js'
import { BookendError } from '../../errors.js'
import { PortWord } from '../../ring/port-word.js'

/** Both ends are of one version of the library: what they say to each other is nobody else's. */
const version = 1

interface MarkedPort extends LogPort {
  readonly bookend: number
  readonly word: SharedArrayBuffer
}

export function markedPort(port: MessagePort, word: PortWord): LogPort {
  const marked: MarkedPort = { bookend: version, word: word.shared, ports: [port] }
  return marked
}

/**
 * The port inside, for its one use.
 * @throws TypeError that says what is wrong with it; `BOOKEND_CLOSED` if its log has closed
 */
export function takePort(given: unknown): MessagePort {
  const { bookend, word: shared, ports } = (given ?? {}) as Partial<MarkedPort>
  const [port] = Array.isArray(ports) ? ports : []
  if (bookend === undefined || !(port instanceof MessagePort))
    throw new TypeError(
      'connect() takes what log.port() resolved with, in the thread that it was sent to: as workerData or in a message, with its ports as the transferList',
    )
  if (bookend !== version || !types.isSharedArrayBuffer(shared))
    throw new TypeError('the port comes from another version of bookend: all threads of a process use the same')
  const word = new PortWord(shared)
  if (word.state === 'used')
    throw new TypeError('the port was connected already: ask log.port() for one for each connection')
  if (word.state === 'void') throw new BookendError('BOOKEND_CLOSED', 'the log of this port is closed')
  const own = received(port)
  if (!word.tryUse()) return takePort(given)
  return own
}

/**
 * The same port, sent through a channel of this thread: one that was passed on stays behind as an object without a channel, which swallows
 * what is sent and never says so, but cannot be sent.
 */
function received(port: MessagePort): MessagePort {
  const { port1, port2 } = new MessageChannel()
  try {
    port1.postMessage(port, [port])
    return (receiveMessageOnPort(port2) as { message: MessagePort }).message
  } catch (cause) {
    const message = 'the port was passed on from here to another thread: it is connected there'
    throw new TypeError(message, { cause })
  } finally {
    port1.close()
  }
}
