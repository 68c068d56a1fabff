import { it } from 'vitest'
import { watchDeskTransactions } from '../../support/desk-transaction-lives.js'
import { Seeded, seedsFrom } from '../../support/seeded.js'

it.each(seedsFrom(1, 10))(
  'nothing is acknowledged by two transactions, or while the group is moved, and what fails is free again (SEED=%i)',
  async (seed) => {
    for (let life = 0; life < 20; life++) await watchDeskTransactions(new Seeded(seed * 1_000 + life))
  },
)
