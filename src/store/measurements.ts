import type { Queries } from './database.js';
import type { ZooMeasurementRow } from './schema.js';

/** The newest measurement of a network on an adapter takes the place of the one before. */
export async function saveMeasurement(queries: Queries, row: ZooMeasurementRow): Promise<void> {
  await queries
    .insertInto('zooMeasurements')
    .values(row)
    .onConflict((conflict) => conflict.columns(['zooId', 'adapter']).doUpdateSet(row))
    .execute();
}

/** Of each network on every adapter, newest first. */
export async function measurementsOf(queries: Queries, zooIds: readonly string[]): Promise<ZooMeasurementRow[][]> {
  if (zooIds.length === 0) return [];
  const rows = await queries
    .selectFrom('zooMeasurements')
    .selectAll()
    .where('zooId', 'in', zooIds)
    .orderBy('measuredAt', 'desc')
    .orderBy('adapter')
    .execute();
  return zooIds.map((id) => rows.filter(({ zooId }) => zooId === id));
}
