import { GraphQLDateTimeISO, GraphQLJSONObject, GraphQLSafeInt } from 'graphql-scalars';

/** Times go out as ISO 8601 text; services hold epoch milliseconds, which this scalar serialises too. */
export const DateTime = GraphQLDateTimeISO;
/** Counts beyond 2^31: bytes and multiply-adds. */
export const SafeInt = GraphQLSafeInt;
export const JSONObject = GraphQLJSONObject;
