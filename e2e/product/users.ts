import type { ApiPath, Cluster } from '../harness/cluster.ts'
import { at } from '../harness/json.ts'
import { until } from '../harness/until.ts'

/** A rule of RBAC. */
interface Rule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

type Subject =
  | { readonly kind: 'User'; readonly name: string }
  | { readonly kind: 'ServiceAccount'; readonly name: string; readonly namespace: string }

const readVerbs = ['get', 'list', 'watch']
const certManager = ['cert-manager.io']

/** A user who may do everything with CertificateRequests of a namespace, and nothing else. */
export async function createRequester(cluster: Cluster, namespace: string): Promise<string> {
  const name = `requester-of-${namespace}`
  const verbs = [...readVerbs, 'create', 'update', 'patch', 'delete']
  const rule = { apiGroups: certManager, resources: ['certificaterequests'], verbs }
  await grant(cluster, namespace, 'requester', [rule], { kind: 'User', name })
  return name
}

/** A user with the role `edit` of Kubernetes in a namespace, and what cert-manager's chart adds to it. */
export async function createEditor(cluster: Cluster, namespace: string): Promise<string> {
  const name = `editor-of-${namespace}`
  const resources = ['certificates', 'certificaterequests', 'issuers']
  const verbs = [...readVerbs, 'create', 'delete', 'deletecollection', 'patch', 'update']
  const rules = [
    { apiGroups: certManager, resources, verbs },
    { apiGroups: certManager, resources: ['certificates/status'], verbs: ['update'] },
  ]
  const user = { kind: 'User', name } as const
  await grant(cluster, namespace, 'cert-manager-edit', rules, user)
  // `edit` itself is put together by a controller that does not run here.
  await bind(cluster, namespace, { kind: 'ClusterRole', name: 'system:aggregate-to-edit' }, user)
  return name
}

/** Gives somebody rights in one namespace, by a Role and a RoleBinding of a name; they are in effect then. */
export async function grant(
  cluster: Cluster,
  namespace: string,
  name: string,
  rules: readonly Rule[],
  subject: Subject,
): Promise<void> {
  await cluster.must('POST', `${rbacIn(namespace)}/roles`, { metadata: { name }, rules })
  await bind(cluster, namespace, { kind: 'Role', name }, subject)
  await inEffect(cluster, namespace, rules, subject)
}

/** Waits until the API server lets somebody do the first thing of each rule. */
export async function inEffect(
  cluster: Cluster,
  namespace: string,
  rules: readonly Rule[],
  subject: Subject,
): Promise<void> {
  const allowed = (rule: Rule) => isAllowed(cluster, namespace, rule, subject)
  await until(`${subject.name} has the rights`, async () =>
    (await Promise.all(rules.map(allowed))).every(Boolean),
  )
}

/** Binds a role that is there to somebody, by a RoleBinding of its name. */
export async function bind(
  cluster: Cluster,
  namespace: string,
  role: { readonly kind: 'Role' | 'ClusterRole'; readonly name: string },
  subject: Subject,
): Promise<void> {
  await cluster.must('POST', `${rbacIn(namespace)}/rolebindings`, {
    metadata: { name: role.name },
    roleRef: { apiGroup, ...role },
    subjects: [subject.kind === 'User' ? { apiGroup, ...subject } : subject],
  })
}

const apiGroup = 'rbac.authorization.k8s.io'

function rbacIn(namespace: string): ApiPath {
  return `/apis/${apiGroup}/v1/namespaces/${namespace}`
}

async function isAllowed(
  cluster: Cluster,
  namespace: string,
  rule: Rule,
  subject: Subject,
): Promise<boolean> {
  const user =
    subject.kind === 'User'
      ? subject.name
      : `system:serviceaccount:${subject.namespace}:${subject.name}`
  const [resource = '', subresource = ''] = (rule.resources[0] ?? '').split('/')
  const resourceAttributes = {
    namespace,
    verb: rule.verbs[0],
    group: rule.apiGroups[0],
    resource,
    subresource,
    name: rule.resourceNames?.[0],
  }
  const reviews: ApiPath = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  const review = await cluster.must('POST', reviews, { spec: { user, resourceAttributes } })
  return at(review, 'status', 'allowed') === true
}
