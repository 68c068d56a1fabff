const { open, BookendError } = require('bookend')

console.log(typeof open, typeof BookendError)
