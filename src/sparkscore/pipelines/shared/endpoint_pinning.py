"""Pins of a run that asks an endpoint: its settings become a model's files, and its served model the version."""

import json
from dataclasses import replace
from functools import partial

import pyarrow as pa
from pyspark.sql import SparkSession

from sparkscore.errors import ConfigError, EndpointUnavailable
from sparkscore.model.registry.model_resolution import PrivateCopy, describe_private_copy
from sparkscore.model.registry.private_copies import fetch_private_copy
from sparkscore.model.trust.model_digest import compute_files_digest
from sparkscore.pipelines.shared.run_attempt import Attempt
from sparkscore.records import PinnedModel, Pins, Run, json_digest
from sparkscore.settings import Settings
from sparkscore.settings.llm_settings import ANY_SERVED_MODEL, LlmSettings
from sparkscore.spark.executor_count import count_most_executors
from sparkscore.spark.type_mapping import describe_source_type
from sparkscore.workloads.endpoints.endpoint_folder import build_endpoint_files, write_endpoint_folder
from sparkscore.workloads.endpoints.endpoint_spec import (
    ACCESS_VARIABLE,
    AnswerSpec,
    EndpointAccess,
    EndpointSpec,
)
from sparkscore.workloads.endpoints.served_models import find_served_model

_TEXTS_PER_REQUEST = 32


def resolve_endpoint_model(attempt: Attempt, keep: Pins | None, copies: str) -> PinnedModel:
    """The model of section llm: its name in the pins is the `model.uri` that stands for it, its version what the
    endpoint serves under the name now, its digest that of the settings that can change an answer.

    Warns where the endpoint has no list of its models, and where it does not answer an attempt that continues another.

    Raises:  AccessDenied for the key, ModelNotFound, EndpointUnavailable.
    """
    settings = attempt.settings
    sensitive = [
        name
        for name in settings.llm.columns
        if settings.model.mapped_inputs.get(name, name) in settings.source.sensitive
    ]
    if sensitive:
        attempt.warn(f"prompts hold columns of source.sensitive, which the endpoint gets: {', '.join(sensitive)}")
    spec = build_endpoint_spec(settings.llm)
    folder, digest = fetch_private_copy(partial(write_endpoint_folder, spec), copies)
    copy = PrivateCopy(settings.model.uri, _choose_model_version(attempt, keep), digest, folder)
    return describe_private_copy(
        copy,
        runtime="pyfunc",
        params={},
        inputs=settings.model.mapped_inputs,
        trust=settings.model.trust_policy,
    )


def _choose_model_version(attempt: Attempt, keep: Pins | None) -> str:
    llm = attempt.settings.llm
    try:
        served = find_served_model(build_endpoint_access(llm, job=attempt.settings.job), str(llm.model))
    except EndpointUnavailable as error:
        if keep is None:
            raise
        attempt.warn(f"the pinned model is taken as it was: {error.found}")
        return keep.model_version
    named = None if llm.served_model == ANY_SERVED_MODEL else llm.served_model
    if not served.is_listed:
        attempt.warn(
            f"the endpoint has no list of its models: what it serves as {llm.model} is told by its answers alone"
        )
    return named or served.version


def compute_endpoint_digest(settings: Settings) -> str:
    """The digest of the model that the settings make. Asks nobody."""
    return compute_files_digest(build_endpoint_files(build_endpoint_spec(settings.llm)))


def check_prompt_columns(settings: Settings, schema: pa.Schema) -> None:
    """Refuse templates that name columns which the rows do not have, or whose values are no texts.

    Needs:   the columns of the source and the computed ones.
    Raises:  ConfigError.
    """
    for name in settings.llm.columns:
        column = settings.model.mapped_inputs.get(name, name)
        if column not in schema.names:
            raise ConfigError(
                f"a template of section llm names {{{name}}}, and the source has no column {column}",
                f"one of its columns: {', '.join(schema.names)}",
                "correct llm.prompt or llm.system (a brace itself is {{ or }}), or map the name in model.inputs",
            )
        if pa.types.is_nested(schema.field(column).type):
            raise ConfigError(
                f"a template of section llm names {{{name}}}, a {describe_source_type(schema.field(column).type)}",
                "a column of texts, numbers, dates or bytes",
                "name a field of it, or make a text of it in the source",
            )


def build_endpoint_spec(llm: LlmSettings) -> EndpointSpec:
    """What is asked, as executors know it."""
    model = str(llm.model)
    names = () if llm.served_model == ANY_SERVED_MODEL else (llm.served_model or model,)
    return EndpointSpec(
        model,
        names,
        llm.route,
        str(llm.prompt),
        system=llm.system,
        null_text=llm.null_text,
        max_tokens=llm.max_tokens,
        keeps_cut_answers=llm.cut_answers == "keep",
        parameters=llm.request_parameters,
        answers=_describe_answers(llm),
    )


def _describe_answers(llm: LlmSettings) -> AnswerSpec:
    output = llm.output
    if output.type != "json":
        return AnswerSpec(output.type, output.classes)
    request = "none" if llm.route == "completion" else output.response_format or "json_schema"
    return AnswerSpec(output.type, schema=json.dumps(output.json_schema, sort_keys=True), request=request)


def build_endpoint_access(llm: LlmSettings, *, job: str) -> EndpointAccess:
    """How the driver reaches the endpoint, and one executor that is alone."""
    url, key = str(llm.base_url), llm.api_key
    return EndpointAccess(
        url,
        None if key is None else key.get_secret_value(),
        llm.api_key_header,
        texts_per_request=llm.texts_per_request or _TEXTS_PER_REQUEST,
        prompt_price=llm.price.prompt,
        completion_price=llm.price.completion,
        concurrency=min(llm.concurrency, llm.executor_concurrency),
        requests_per_minute=llm.requests_per_minute,
        tokens_per_minute=llm.tokens_per_minute,
        limit_name=json_digest([job, url])[:16],
        connect_timeout=llm.connect_timeout,
        read_timeout=llm.read_timeout,
        timeout=llm.timeout,
        retries=llm.retries,
        longest_wait=llm.longest_wait,
        breaker_failures=llm.breaker_failures,
        breaker_seconds=llm.breaker_seconds,
    )


def build_endpoint_environment(spark: SparkSession, settings: Settings, run: Run) -> tuple[tuple[str, str], ...]:
    """The variables by which tasks reach the endpoint; each executor has an equal share of the job's limits.

    Needs:   a job with a section llm.
    """
    llm = settings.llm
    executors = count_most_executors(spark)
    alone = build_endpoint_access(llm, job=settings.job)
    share = replace(
        alone,
        concurrency=max(1, min(llm.executor_concurrency, llm.concurrency // executors)),
        requests_per_minute=None if llm.requests_per_minute is None else llm.requests_per_minute / executors,
        tokens_per_minute=None if llm.tokens_per_minute is None else llm.tokens_per_minute / executors,
        journal=json_digest([run.stage_id, settings.home_uri, settings.output.table])[:32],
    )
    return ((ACCESS_VARIABLE, share.to_json()),)
