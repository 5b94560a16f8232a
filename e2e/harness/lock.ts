import { connect, createServer, type Socket } from 'node:net'

export interface Lock {
  release(): Promise<void>
}

/**
 * A lock among all processes of this machine, waited for when somebody holds it. It is a listening
 * socket in Linux's abstract namespace: the kernel takes it back however its holder ends, so there
 * is never a stale lock.
 *
 * @param onWait called once, when the lock is not free at first
 */
export async function lock(name: string, onWait: () => void): Promise<Lock> {
  const address = `\0akv-issuer-${name}`
  for (let waited = false; ; waited = true) {
    const held = await tryLock(address)
    if (held) return held
    if (!waited) onWait()
    await untilHolderLeaves(address)
  }
}

/** Undefined when somebody holds it. */
function tryLock(address: string): Promise<Lock | undefined> {
  return new Promise((resolve, reject) => {
    const waiters = new Set<Socket>()
    const server = createServer((socket) => {
      waiters.add(socket)
      socket.on('error', () => undefined).on('close', () => waiters.delete(socket))
    })
    server.on('error', (error) => {
      if ('code' in error && error.code === 'EADDRINUSE') resolve(undefined)
      else reject(error)
    })
    const release = () =>
      new Promise<void>((done) => {
        server.close(() => done())
        for (const waiter of waiters) waiter.destroy()
      })
    server.listen(address, () => resolve({ release }))
  })
}

/** Resolves when the holder has ended or given the lock back. */
function untilHolderLeaves(address: string): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(address)
    socket.on('error', () => undefined).on('close', () => resolve())
    socket.resume()
  })
}
