import { expect, it } from 'vitest'
import { AckJournal } from '../../../src/dispatcher/groups/ack-journal.js'
import type { TopicHandle } from '../../../src/dispatcher/topic-directory.js'
import { cutJournal } from '../../support/journal-lives.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 40))(
  'after a power cut what a transaction has acknowledged is done if and only if the transaction is there (SEED=%i)',
  (seed) => {
    const random = new Seeded(seed)
    for (let life = 0; life < 40; life++) cutJournal(random)
  },
)

it('a group that is moved passes all of its journal', () => {
  const journal = new AckJournal({ id: 1, name: '.a.0' } as TopicHandle, () => 0, 3)
  journal.add(3, [{ first: 5, end: 6 }], 10)
  journal.pass()
  expect([journal.isOpen, journal.stateOf({ committed: 2, ranges: [] })]).toEqual([
    false,
    { committed: 2, ranges: [], applied: 4 },
  ])
})
