/** The other end of a transfer: accepts one connection, drops what comes, tells how much it was. */
import net from 'node:net'

const [path] = process.argv.slice(2)

const server = net.createServer()
server.on('connection', (socket) => {
  let count = 0
  socket.on('data', (bytes) => {
    count += bytes.length
  })
  socket.on('end', () => process.send!(count))
})
const answer = () => {
  const address = server.address()
  process.send!(typeof address === 'object' && address !== null ? address.port : 0)
}
if (path === undefined || path === '') server.listen(0, '127.0.0.1', answer)
else server.listen(path, answer)
process.once('disconnect', () => process.exit(0))
