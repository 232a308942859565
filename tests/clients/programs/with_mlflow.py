"""Logs runs with MLflow."""

from importlib import import_module

mlflow = import_module("mlflow")


def run(name: str, file: str, experiment: str = "tiny") -> str:
    """A run with a number and a file."""
    mlflow.set_experiment(experiment)
    with mlflow.start_run(run_name=name) as running:
        mlflow.log_metric("loss", 0.5)
        mlflow.log_artifact(file)
    return str(running.info.run_id)


def delete_last_run(experiment: str = "tiny") -> None:
    """What `mlflow runs delete` does, to the run that began last."""
    found = mlflow.search_runs(experiment_names=[experiment], order_by=["start_time DESC"], output_format="list")
    mlflow.delete_run(found[0].info.run_id)


def delete_experiment(name: str) -> None:
    """What `mlflow experiments delete` does."""
    mlflow.delete_experiment(mlflow.get_experiment_by_name(name).experiment_id)


def runs(experiment: str = "tiny") -> list[str]:
    """The runs that MLflow itself finds."""
    found = mlflow.search_runs(experiment_names=[experiment], output_format="list")
    return sorted(each.info.run_id for each in found)
