import { buildConnector, EnvHttpProxyAgent } from 'undici'

const connectTimeout = 10_000

/**
 * Connections to vaults, through the proxy that the environment names if it names one.
 *
 * @param assertLeader asked when a connection stands: a call that waited for it while this process was
 * stopped must not leave
 */
export function vaultConnections(assertLeader: () => void): EnvHttpProxyAgent {
  const connect = buildConnector({ timeout: connectTimeout, allowH2: false })
  return new EnvHttpProxyAgent({
    allowH2: false,
    connect(options, callback) {
      connect(options, (...result) => {
        try {
          assertLeader()
          callback(...result)
        } catch (error) {
          const [, socket] = result
          socket?.destroy()
          callback(error instanceof Error ? error : new Error(String(error)), null)
        }
      })
    },
  })
}
