/** One request to a webhook, and what it answers. */
import { type ClientRequest, request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'
import { lookupOf } from './webhook-address.js'

export interface WebhookAnswer {
  readonly status: number
  /** It says that all of what it was told is done. */
  readonly isDone: boolean
}

/** Who has not answered by then is asked again later. */
const answerMs = 30_000
/** Of the answer. */
const maxBytes = 64 << 10

/** @throws whatever has failed; redirections are answers, and are not followed */
export function post(
  url: string,
  body: string,
  headers: Record<string, string>,
  signal: AbortSignal,
): Promise<WebhookAnswer> {
  return new Promise((resolve, reject) => {
    const { protocol, hostname } = new URL(url)
    const send = protocol === 'https:' ? secureRequest : plainRequest
    const lookup = lookupOf(hostname)
    const all = { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)), ...headers }
    const until = AbortSignal.any([signal, AbortSignal.timeout(answerMs)])
    // No agent: each is a connection of its own, and none is left open.
    const request: ClientRequest = send(url, {
      ...{ method: 'POST', headers: all, signal: until, agent: false },
      ...(lookup !== undefined && { lookup }),
    })
    request.once('error', reject)
    request.once('response', (response) => {
      const { statusCode: status = 0 } = response
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (piece: string) => {
        text += piece
        if (text.length > maxBytes)
          response.destroy(new Error(`a webhook has answered with more than ${maxBytes} bytes`))
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status, isDone: saysDone(text) }))
    })
    request.end(body)
  })
}

function saysDone(text: string): boolean {
  try {
    return JSON.parse(text)?.done === true
  } catch {
    return false
  }
}
