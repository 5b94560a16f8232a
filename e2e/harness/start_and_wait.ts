// Starts a bare cluster, prints its processes as one JSON line and waits to be ended. The tests kill
// it to see that nothing stays behind: node e2e/harness/start_and_wait.ts
import { startCluster } from './start_cluster.ts'

const cluster = await startCluster({ certManager: false })
const identities = cluster.processes.map((process) => process.identity)
process.stdout.write(`${JSON.stringify(identities)}\n`)
setInterval(() => undefined, 60_000)
