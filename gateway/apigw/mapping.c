/* See mapping.h. One call or invocation at a time: the state says what it was. */
#include "apigw/mapping.h"

#include <stdio.h>
#include <stdlib.h>

#include "apigw/mapping_filter.h"
#include "base/log.h"

#define POLL_MS 250 /* Lambda's "four times a second" */
#define RETRY_MS 200
#define PROBLEM_MS 500
#define SHARDS_MAX 64 /* with those of the last day that are closed */
#define RANGES_MAX 32
#define ID_MAX 128
#define TRIMMED VIEW("TrimmedDataAccessException")

struct shard {
    char id[ID_MAX];
    char last[64];  /* sequence number of the last record read; empty: none */
    char *iterator; /* NULL: to be got */
    bool is_new, is_done;
};

/* Records [from, to) that go together, tried so often. */
struct range {
    size_t from, to, tries;
};

struct mapping {
    struct loop *loop;
    struct mapping_settings settings;
    struct aws_client *aws;
    struct lambda_pool *pool;
    struct usage *usage;
    json_t *filter;
    char arn[256];      /* DynamoDB's own name for the stream */
    char told_arn[320]; /* the same with the region that records are said to be of */
    struct shard shards[SHARDS_MAX];
    size_t shard_count, at;
    bool has_begun;                  /* shards found from now on are read from their beginning */
    json_t *records;                 /* being worked on */
    uint64_t read_ms;                /* when they came */
    struct range ranges[RANGES_MAX]; /* the last is the next */
    size_t range_count;
    struct timer timer;
    struct aws_call *call;
};

static void look_for_stream(struct mapping *mapping);
static void look_for_shards(struct mapping *mapping);
static void read_shard(struct mapping *mapping);
static void work(struct mapping *mapping);
static void next_shard(struct mapping *mapping);

/* ---- calls ---- */

static void call(struct mapping *mapping, const char *operation, json_t *body, aws_call_fn *done) {
    char target[80];
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    if (!text) abort(); /* out of memory */
    snprintf(target, sizeof(target), "DynamoDBStreams_20120810.%s", operation);
    const struct aws_request request = {.service = VIEW("dynamodb"),
                                        .endpoint = view_from_cstr(mapping->settings.endpoint),
                                        .method = VIEW("POST"),
                                        .path = VIEW("/"),
                                        .content_type = VIEW("application/x-amz-json-1.0"),
                                        .target = view_from_cstr(target),
                                        .body = view_from_cstr(text),
                                        .idempotent = true,
                                        .attempts_max = 3,
                                        .attempt_ms = 5000,
                                        .answer_max = (size_t)16 * 1024 * 1024};
    mapping->usage->stream_reads += strcmp(operation, "GetRecords") == 0;
    mapping->call = aws_call_start(mapping->aws, &request, done, mapping);
    free(text);
    json_decref(body);
}

/* NULL, and later all from the beginning, when the answer is none. */
static json_t *take(struct mapping *mapping, enum status status, const struct aws_answer *answer) {
    mapping->call = NULL;
    json_t *root = status == STATUS_OK ? json_loadb(answer->body.ptr, answer->body.len, 0, NULL) : NULL;
    if (root) return root;
    if (!view_eq(answer->error, TRIMMED))
        log_warn("stream", "%s: %s (%.*s)", mapping->settings.table, status_text(status),
                 VIEW_ARG(view_slice(answer->error, 0, 100)));
    timer_start(&mapping->loop->timers, &mapping->timer, PROBLEM_MS);
    return NULL;
}

static void on_timer(struct timer *timer) {
    struct mapping *mapping = LIST_ENTRY(timer, struct mapping, timer);
    if (mapping->range_count > 0)
        work(mapping);
    else if (mapping->records)
        next_shard(mapping);
    else if (!mapping->arn[0])
        look_for_stream(mapping);
    else
        look_for_shards(mapping);
}

static void wait_ms(struct mapping *mapping, uint64_t ms) {
    timer_start(&mapping->loop->timers, &mapping->timer, ms);
}

/* ---- the stream and its shards ---- */

/* "arn:aws:dynamodb:ddblocal:…": DynamoDB Local has a region of its own. */
static void note_arn(struct mapping *mapping, struct view arn) {
    struct view rest = arn, piece;
    snprintf(mapping->arn, sizeof(mapping->arn), "%.*s", VIEW_ARG(arn));
    for (int i = 0; i < 4; i++) view_split(&rest, ':', &piece);
    snprintf(mapping->told_arn, sizeof(mapping->told_arn), "arn:aws:dynamodb:%.*s:%.*s",
             VIEW_ARG(mapping->settings.region), VIEW_ARG(rest));
}

static void on_streams(void *ctx, enum status status, const struct aws_answer *answer) {
    struct mapping *mapping = ctx;
    json_t *root = take(mapping, status, answer);
    if (!root) return;
    const char *arn =
        json_string_value(json_object_get(json_array_get(json_object_get(root, "Streams"), 0), "StreamArn"));
    if (arn)
        note_arn(mapping, view_from_cstr(arn));
    else
        log_warn("stream", "%s has no stream", mapping->settings.table);
    json_decref(root);
    if (arn)
        look_for_shards(mapping);
    else
        wait_ms(mapping, PROBLEM_MS);
}

static void look_for_stream(struct mapping *mapping) {
    call(mapping, "ListStreams", json_pack("{s:s}", "TableName", mapping->settings.table), on_streams);
}

static void forget(struct mapping *mapping) {
    for (size_t i = 0; i < mapping->shard_count; i++) free(mapping->shards[i].iterator);
    mapping->shard_count = 0;
    mapping->arn[0] = '\0';
    mapping->has_begun = false;
}

static bool knows(const struct mapping *mapping, const char *id) {
    for (size_t i = 0; i < mapping->shard_count; i++)
        if (strcmp(mapping->shards[i].id, id) == 0) return true;
    return false;
}

static void on_shards(void *ctx, enum status status, const struct aws_answer *answer) {
    struct mapping *mapping = ctx;
    json_t *root = take(mapping, status, answer), *shard;
    size_t index;
    if (!root) {
        forget(mapping); /* the table may have been made anew */
        return;
    }
    const json_t *about = json_object_get(root, "StreamDescription");
    json_array_foreach(json_object_get(about, "Shards"), index, shard) {
        const char *id = json_string_value(json_object_get(shard, "ShardId"));
        bool is_closed =
            json_object_get(json_object_get(shard, "SequenceNumberRange"), "EndingSequenceNumber") != NULL;
        if (!id || knows(mapping, id) || mapping->shard_count == SHARDS_MAX) continue;
        if (is_closed && !mapping->has_begun) continue;
        struct shard *found = &mapping->shards[mapping->shard_count++];
        *found = (struct shard){.is_new = mapping->has_begun};
        snprintf(found->id, sizeof(found->id), "%s", id);
    }
    json_decref(root);
    mapping->has_begun = true;
    mapping->at = 0;
    read_shard(mapping);
}

/* DynamoDB splits a shard every few hours: the children are found here. */
static void look_for_shards(struct mapping *mapping) {
    call(mapping, "DescribeStream", json_pack("{s:s}", "StreamArn", mapping->arn), on_shards);
}

/* ---- records ---- */

static void on_records(void *ctx, enum status status, const struct aws_answer *answer);

/* DynamoDB Local says so of a shard that was empty, too. */
static void note_trimmed(struct shard *shard, const struct aws_answer *answer) {
    if (!view_eq(answer->error, TRIMMED)) return;
    shard->is_new = true;
    shard->last[0] = '\0';
}

static void on_iterator(void *ctx, enum status status, const struct aws_answer *answer) {
    struct mapping *mapping = ctx;
    struct shard *shard = &mapping->shards[mapping->at];
    json_t *root = take(mapping, status, answer);
    if (!root) {
        note_trimmed(shard, answer);
        return;
    }
    const char *iterator = json_string_value(json_object_get(root, "ShardIterator"));
    if (iterator) shard->iterator = view_to_cstr(view_from_cstr(iterator));
    shard->is_done = shard->iterator == NULL;
    json_decref(root);
    read_shard(mapping);
}

static json_t *iterator_wanted(const struct mapping *mapping, const struct shard *shard) {
    const char *type = shard->last[0] ? "AFTER_SEQUENCE_NUMBER" : shard->is_new ? "TRIM_HORIZON" : "LATEST";
    json_t *body = json_pack("{s:s, s:s, s:s}", "StreamArn", mapping->arn, "ShardId", shard->id,
                             "ShardIteratorType", type);
    if (shard->last[0]) json_object_set_new(body, "SequenceNumber", json_string(shard->last));
    return body;
}

/* The next shard with something to read; behind the last one a pause. */
static void read_shard(struct mapping *mapping) {
    while (mapping->at < mapping->shard_count && mapping->shards[mapping->at].is_done) mapping->at++;
    if (mapping->at == mapping->shard_count) {
        wait_ms(mapping, POLL_MS);
        return;
    }
    struct shard *shard = &mapping->shards[mapping->at];
    if (shard->iterator)
        call(mapping, "GetRecords",
             json_pack("{s:s, s:i}", "ShardIterator", shard->iterator, "Limit", (int)mapping->settings.batch),
             on_records);
    else
        call(mapping, "GetShardIterator", iterator_wanted(mapping, shard), on_iterator);
}

static void next_shard(struct mapping *mapping) {
    json_decref(mapping->records);
    mapping->records = NULL;
    mapping->at++;
    read_shard(mapping);
}

static json_t *filtered(struct mapping *mapping, const json_t *records) {
    json_t *kept = json_array(), *record;
    size_t index;
    json_array_foreach(records, index, record) {
        if (!mapping_filter_matches(mapping->filter, record)) continue;
        json_object_set_new(record, "eventSourceARN", json_string(mapping->told_arn));
        json_object_set_new(record, "awsRegion",
                            json_stringn(mapping->settings.region.ptr, mapping->settings.region.len));
        json_array_append(kept, record);
    }
    return kept;
}

static void note_last(struct shard *shard, const json_t *records) {
    const json_t *last = json_array_get(records, json_array_size(records) - 1);
    const char *number =
        json_string_value(json_object_get(json_object_get(last, "dynamodb"), "SequenceNumber"));
    if (number) snprintf(shard->last, sizeof(shard->last), "%s", number);
}

static void on_records(void *ctx, enum status status, const struct aws_answer *answer) {
    struct mapping *mapping = ctx;
    struct shard *shard = &mapping->shards[mapping->at];
    json_t *root = take(mapping, status, answer);
    free(shard->iterator);
    shard->iterator = NULL;
    if (!root) { /* from behind the last one, when the pause is over */
        note_trimmed(shard, answer);
        return;
    }
    const char *next = json_string_value(json_object_get(root, "NextShardIterator"));
    if (next) shard->iterator = view_to_cstr(view_from_cstr(next));
    shard->is_done = shard->iterator == NULL;
    const json_t *records = json_object_get(root, "Records");
    note_last(shard, records);
    mapping->records = filtered(mapping, records);
    json_decref(root);
    size_t count = json_array_size(mapping->records);
    mapping->read_ms = loop_now(mapping->loop);
    mapping->usage->stream_records += count;
    if (count > 0) {
        mapping->ranges[mapping->range_count++] = (struct range){0, count, 0};
        work(mapping);
    } else {
        next_shard(mapping);
    }
}

/* ---- batches ---- */

static struct range *current(struct mapping *mapping) {
    return &mapping->ranges[mapping->range_count - 1];
}

static bool has_number(const json_t *record, const char *number) {
    const char *own =
        json_string_value(json_object_get(json_object_get(record, "dynamodb"), "SequenceNumber"));
    return own && number && strcmp(own, number) == 0;
}

/* The first of the records that the function named is where the next try begins; one that is not among them
 * fails all, nothing named none. */
static size_t first_failed(const struct mapping *mapping, const struct range *range, struct view text) {
    json_t *root = json_loadb(text.len ? text.ptr : "", text.len, JSON_DECODE_ANY, NULL), *failure;
    size_t first = range->to, index;
    json_array_foreach(json_object_get(root, "batchItemFailures"), index, failure) {
        const char *number = json_string_value(json_object_get(failure, "itemIdentifier"));
        size_t at = range->from;
        while (at < range->to && !has_number(json_array_get(mapping->records, at), number)) at++;
        if (at == range->to) at = range->from;
        if (at < first) first = at;
    }
    json_decref(root);
    return first;
}

static void drop(struct mapping *mapping, const char *why) {
    const struct range *range = current(mapping);
    size_t count = range->to - range->from;
    log_error("stream", "%s: %zu records are dropped: %s", mapping->settings.table, count, why);
    mapping->usage->stream_dropped += count;
    mapping->range_count--;
}

/* A cut is none of the tries. */
static void halve_or_drop(struct mapping *mapping) {
    struct range *range = current(mapping);
    if (mapping->settings.bisects && range->to - range->from > 1 && mapping->range_count < RANGES_MAX) {
        struct range first = {range->from, (range->from + range->to) / 2, 0};
        *range = (struct range){first.to, range->to, 0};
        mapping->ranges[mapping->range_count++] = first;
    } else if (++range->tries > mapping->settings.retries) {
        drop(mapping, "the function failed too often");
    }
}

/* Counted from when they were read: DynamoDB Local rounds the time of their creation to minutes. */
static bool are_too_old(const struct mapping *mapping) {
    return loop_now(mapping->loop) - mapping->read_ms > mapping->settings.max_age_ms;
}

static void on_outcome(void *ctx, enum lambda_outcome outcome, struct view answer) {
    struct mapping *mapping = ctx;
    struct range *range = current(mapping);
    size_t from = outcome != LAMBDA_OK                 ? range->from
                  : mapping->settings.reports_failures ? first_failed(mapping, range, answer)
                                                       : range->to;
    bool goes_on = from > range->from;
    if (from == range->to)
        mapping->range_count--;
    else if (goes_on) /* cut where the function said */
        *range = (struct range){from, range->to, 0};
    else if (outcome != LAMBDA_THROTTLED) /* then Lambda tries again by itself */
        halve_or_drop(mapping);
    wait_ms(mapping, goes_on ? 0 : RETRY_MS);
}

static void work(struct mapping *mapping) {
    while (mapping->range_count > 0 && are_too_old(mapping)) drop(mapping, "they are too old");
    if (mapping->range_count == 0) {
        next_shard(mapping);
        return;
    }
    const struct range *range = current(mapping);
    json_t *batch = json_array(), *event;
    for (size_t i = range->from; i < range->to; i++)
        json_array_append(batch, json_array_get(mapping->records, i));
    event = json_pack("{s:o}", "Records", batch);
    char *text = event ? json_dumps(event, JSON_COMPACT) : NULL;
    if (!text) abort(); /* out of memory */
    lambda_pool_invoke(mapping->pool, SOURCE_STREAM, view_from_cstr(text), on_outcome, mapping);
    free(text);
    json_decref(event);
}

/* ---- the module ---- */

struct mapping *mapping_new(struct loop *loop, const struct mapping_settings *settings,
                            struct aws_client *aws, struct lambda_pool *pool, struct usage *usage,
                            const char **ret_why) {
    struct mapping *mapping = calloc(1, sizeof(*mapping));
    *ret_why = "out of memory";
    if (!mapping) return NULL;
    *mapping =
        (struct mapping){.loop = loop, .settings = *settings, .aws = aws, .pool = pool, .usage = usage};
    timer_init(&mapping->timer, on_timer);
    mapping->filter = json_loads(settings->filter, 0, NULL);
    const char *problem = mapping_filter_problem(mapping->filter);
    if (problem) {
        *ret_why = problem;
        mapping_free(mapping);
        return NULL;
    }
    wait_ms(mapping, 0);
    return mapping;
}

void mapping_free(struct mapping *mapping) {
    if (!mapping) return;
    timer_stop(&mapping->loop->timers, &mapping->timer);
    if (mapping->call) aws_call_cancel(mapping->call);
    forget(mapping);
    json_decref(mapping->records);
    json_decref(mapping->filter);
    free(mapping);
}
