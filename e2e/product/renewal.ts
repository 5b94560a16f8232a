import type { ApiPath } from '../harness/cluster.ts'
import { conditionOf } from '../harness/json.ts'
import { addConditions } from './requests.ts'
import type { Scene } from './scene.ts'

/** Has a Certificate issued anew, as `cmctl renew` does, once nothing is under way. */
export async function renewByHand(scene: Scene, path: ApiPath): Promise<void> {
  await scene.object(
    path,
    'done with its last issuance',
    (object) => conditionOf(object, 'Issuing') === undefined,
  )
  await addConditions(scene, path, {
    type: 'Issuing',
    reason: 'ManuallyTriggered',
    message: 'Certificate re-issuance manually triggered',
  })
}
