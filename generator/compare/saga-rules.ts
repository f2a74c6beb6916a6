/** The rules about running sagas. `scaffold breaking --allow` accepts a change that violates one. */
export const sagaRules = ["SAGA_NO_DELETE", "SAGA_SAME_STEPS", "SAGA_SAME_CALL", "SAGA_SAME_COMPENSATION"] as const;
export type SagaRule = (typeof sagaRules)[number];

export function isSagaRule(rule: string): rule is SagaRule {
  return (sagaRules as readonly string[]).includes(rule);
}
