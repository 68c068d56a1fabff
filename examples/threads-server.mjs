// An HTTP server in several threads: each takes requests on a port of its own and appends them to the same log.
// node examples/threads-server.mjs [folder] [threads] [requests]
import { once } from 'node:events'
import { createServer } from 'node:http'
import { isMainThread, parentPort, threadId, Worker, workerData } from 'node:worker_threads'
import { connect, json, open } from 'bookend'

if (isMainThread)
  await main(process.argv[2] ?? './request-log', Number(process.argv[3] ?? 4), Number(process.argv[4] ?? 400))
else await serve(await connect(workerData.port))

/** In each thread: what came is in the log before it is answered. */
async function serve(log) {
  const requests = log.topic('requests', { codec: json })
  const server = createServer(async (request, response) => {
    const offset = await requests.append({ url: request.url, thread: threadId })
    response.end(`${offset}`)
  })
  server.listen(0, '127.0.0.1', () => parentPort.postMessage({ url: `http://127.0.0.1:${server.address().port}` }))
  // Open connections are answered, then the thread leaves the log, and ends.
  parentPort.once('message', () => server.close(() => log.close()))
}

async function main(folder, count, total) {
  const log = await open(folder)
  const threads = []
  for (let index = 0; index < count; index++) {
    const port = await log.port()
    const worker = new Worker(new URL(import.meta.url), { workerData: { port }, transferList: [...port.ports] })
    const [{ url }] = await once(worker, 'message')
    threads.push({ worker, url })
  }

  // A client for each thread, all at once.
  const share = Math.ceil(total / count)
  const offsets = await Promise.all(
    threads.map(async ({ url }) => {
      const mine = []
      for (let number = 0; number < share; number++) mine.push(Number(await (await fetch(`${url}/${number}`)).text()))
      return mine
    }),
  )
  const isInOrder = offsets.every((mine) => mine.every((offset, index) => index === 0 || offset > mine[index - 1]))
  console.log(`${new Set(offsets.flat()).size} requests in ${count} threads, each in order: ${isInOrder}`)

  for (const { worker } of threads) {
    worker.postMessage('close')
    await once(worker, 'exit')
  }
  console.log(`the log has ${(await log.topic('requests').bounds()).next} messages`)
  await log.close()
}
