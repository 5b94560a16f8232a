import { EnvHttpProxyAgent } from 'undici'
import type { Clock } from '../clock.ts'
import type { VaultNotice } from '../event_grid/delivery.ts'
import { entraToken } from '../event_grid/entra_token.ts'
import { NoticeBoard } from '../event_grid/notice_board.ts'
import { sharedSecret } from '../event_grid/shared_secret.ts'
import { startWebhook } from '../event_grid/webhook.ts'
import type { KubeClient } from '../kube/client.ts'
import type { Log } from '../log.ts'
import type { Random } from '../random.ts'
import type { Metrics } from '../server/metrics.ts'
import type { Address } from './address.ts'
import type { EventGridFlags } from './event_grid_flags.ts'

export interface EventGridDeps {
  readonly listen: Address
  readonly sender: EventGridFlags['sender']
  readonly kube: KubeClient
  /** Of the controller. */
  readonly namespace: string
  /** Throws unless this replica leads. */
  readonly assertLeader: () => void
  /** Looks at a certificate; whether anybody wants it. */
  readonly look: (vaultHost: string, certificate: string) => boolean
  readonly metrics: Metrics
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

export interface EventGrid {
  readonly url: string
  /** For the replica that leads: takes what the others were told, until the signal. */
  followOthers(signal: AbortSignal): Promise<void>
  close(): Promise<void>
}

/** Takes notices in every replica, and has the one that leads look into Key Vault. */
export async function startEventGrid(deps: EventGridDeps): Promise<EventGrid> {
  const { sender, metrics, clock, log } = deps
  const dispatcher = new EnvHttpProxyAgent({ allowH2: false, maxResponseSize: 1_000_000 })
  const board = new NoticeBoard(deps)
  const checkSender =
    sender.kind === 'secret'
      ? await sharedSecret({ file: sender.file, clock, log })
      : entraToken({ ...sender, clock, dispatcher })

  const take = ({ vaultHost, certificate }: VaultNotice) => {
    const isWatched = deps.look(vaultHost, certificate)
    metrics.notice(isWatched ? 'accepted' : 'unwatched', 1)
    log.info('notice of Event Grid', { vault: vaultHost, certificate, watched: isWatched })
  }
  const webhook = await startWebhook({
    ...deps.listen,
    checkSender,
    async onNotices(notices, signal) {
      if (holds(deps.assertLeader)) return notices.forEach(take)
      await board.post(notices, signal)
      metrics.notice('handed_on', notices.length)
      log.info('notices of Event Grid handed to the leader', { notices })
    },
    onOutcome: (outcome, count) => metrics.notice(outcome, count),
    clock,
    log,
  })
  return {
    url: webhook.url,
    followOthers: (signal) =>
      board.follow((notice, age) => {
        // Most were taken by a leader before us; one may have come too late for it.
        if (age === 'old') deps.look(notice.vaultHost, notice.certificate)
        else take(notice)
      }, signal),
    async close() {
      await webhook.close()
      await dispatcher.close()
    },
  }
}

function holds(assertLeader: () => void): boolean {
  try {
    assertLeader()
    return true
  } catch {
    return false
  }
}
