/** Closing: how long readers are waited for until all of them have closed their windows. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { wakes } from '../../src/dispatcher/watch.js'
import { closedError } from '../../src/failures.js'
import { ReaderFarewell } from '../../src/local/reader-farewell.js'
import { AppendWorld } from '../support/append-side.js'
import { outcomeOf } from '../support/groups.js'

/** Two reader threads that are told that the log closes. */
function farewellOf() {
  const { state, lane, watch } = new AppendWorld()
  const alive = { count: 2 }
  const farewell = new ReaderFarewell({ state, watch, aliveThreads: () => alive.count })
  const answer = () => {
    state.closedReaders.add(1)
    lane.bell.ring()
  }
  return { state, watch, alive, farewell, answer, said: outcomeOf(farewell.say()) }
}

/** The watch has looked. */
async function settled(): Promise<void> {
  for (let count = 0; count < 5; count++) await turn()
}

it('is over when each of them has answered', async () => {
  const { state, answer, said } = farewellOf()
  expect(state.closing.load()).toBe(1)
  answer()
  await settled()
  expect(said.state).toBe('pending')
  answer()
  await settled()
  expect(said.state).toBe('done')
})

it('does not wait for one that has ended without an answer', async () => {
  const { alive, farewell, answer, said } = farewellOf()
  answer()
  await settled()
  alive.count = 1
  farewell.threadEnded()
  await settled()
  expect(said.state).toBe('done')
})

it('goes on where nothing is appended any more: windows are closed all the same', async () => {
  const { watch, answer, said } = farewellOf()
  watch.fail(closedError('/log'))
  await settled()
  expect(said.state).toBe('pending')
  answer()
  answer()
  await settled()
  expect(said.state).toBe('done')
})

it('is over at once where there is no reader, also while the watch sleeps for somebody else', async () => {
  const { state, watch } = new AppendWorld()
  watch.register({ settle() {}, refuse() {}, wakesAt: () => wakes.anyway })
  watch.begin(wakes.anyway)
  await settled()
  const farewell = new ReaderFarewell({ state, watch, aliveThreads: () => 0 })
  const said = outcomeOf(farewell.say())
  await settled()
  expect(said.state).toBe('done')
})
