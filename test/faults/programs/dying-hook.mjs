// Loaded into a thread of the library (--import): ends it at its nth operation on shared memory. DYING is "HOW N".
const [how, count] = (process.env.DYING ?? 'none 0').split(' ')
let left = Number(count)

function die() {
  if (how === 'throw') throw new Error('the thread was made to throw')
  if (how === 'exit') process.exit(7)
  if (how === 'reject') void Promise.reject(new Error('the thread was made to reject'))
  if (how === 'memory') {
    const hoard = []
    for (;;) hoard.push(new Array(1e5).fill(hoard.length + 0.5))
  }
}

if (how !== 'none') {
  for (const name of ['store', 'sub', 'compareExchange', 'add']) {
    const original = Atomics[name]
    Atomics[name] = (...args) => {
      left -= 1
      if (left === 0) die()
      return original(...args)
    }
  }
}
