// Works through a queue in a thread of its own, until it is ended.
import { parentPort, workerData } from 'node:worker_threads'
import { connect, json } from '../../../dist/src/index.js'
import { act } from './jobs-handler.mjs'

const { port, name, say, options } = workerData
const log = await connect(port)
log.queue(name, { codec: json }).work(({ value }, context) => act(value, context, say, false), options)
parentPort.on('message', () => {})
