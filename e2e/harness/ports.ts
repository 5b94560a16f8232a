import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'

/** Given to somebody in this process; programs need a moment before they listen. */
const given = new Set<number>()

/**
 * Ports of 127.0.0.1 that nobody listens on now. They lie below the range from which the kernel
 * takes ports for outgoing connections, so only another listener can come between.
 */
export async function freePorts(count: number): Promise<readonly number[]> {
  const ports: number[] = []
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > 1_000) throw new Error('no free port found on 127.0.0.1 between 15000 and 32000')
    const port = randomInt(15_000, 32_000)
    if (given.has(port) || !(await isFree(port))) continue
    given.add(port)
    ports.push(port)
  }
  return ports
}

/** What programs print when somebody else took their port in the meantime. */
export function saysPortTaken(text: string): boolean {
  return /address already in use|EADDRINUSE/.test(text)
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}
