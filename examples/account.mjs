// An event-sourced account: withdrawals are decided in several threads at once, and the balance never falls below zero.
// node examples/account.mjs [folder] [threads]
import { once } from 'node:events'
import { isMainThread, parentPort, threadId, Worker, workerData } from 'node:worker_threads'
import { connect, json, open } from 'bookend'

/** The state is the sum of the events, and goes on with what has come since. */
class Account {
  constructor(events) {
    Object.assign(this, { events, balance: 0, next: 0 })
  }
  async catchUp() {
    for await (const { value, offset } of this.events.read({ from: this.next })) {
      this.balance += value.amount
      this.next = offset + 1
    }
  }
  /** Decides on what it has read, and appends only if that is still all there is. @returns whether there was enough */
  async withdraw(amount, by) {
    for (;;) {
      await this.catchUp()
      if (this.balance < amount) return false
      try {
        await this.events.append({ amount: -amount, by }, { expectedOffset: this.next, durability: 'disk' })
        return true
      } catch (error) {
        if (error.code !== 'BOOKEND_CONFLICT') throw error
        // Somebody else was first: their event is read, and it is decided anew.
      }
    }
  }
}

async function main(folder, count) {
  const log = await open(folder)
  const account = new Account(log.topic('account', { codec: json }))
  await account.events.append({ amount: 100 })
  const done = []
  for (let index = 0; index < count; index++) {
    const port = await log.port()
    const worker = new Worker(new URL(import.meta.url), { workerData: { port }, transferList: [...port.ports] })
    done.push(Promise.all([once(worker, 'message'), once(worker, 'exit')]).then(([[taken]]) => taken))
  }
  const taken = (await Promise.all(done)).flat()
  await account.catchUp()
  console.log(`${taken.filter(Boolean).length} of ${taken.length} withdrawals of 30, balance ${account.balance}`)
  await log.close()
}

async function customer(log) {
  const mine = [0, 1].map(() => new Account(log.topic('account', { codec: json })))
  const taken = await Promise.all(mine.map((account) => account.withdraw(30, threadId)))
  await log.close()
  parentPort.postMessage(taken)
}

if (isMainThread) await main(process.argv[2] ?? './accounts', Number(process.argv[3] ?? 2))
else await customer(await connect(workerData.port))
