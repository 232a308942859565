"""What a person read and found harmless with any state: the methods that unpickling a class can run.

A class is vetted when every such method of it is Python's own, compiled number crunching of a listed package, or named
here. Left out on purpose: `scipy.stats` distributions, whose `__setstate__` gives text of the file to `exec`.
"""

from __future__ import annotations

SETSTATE = {
    "sklearn.base.BaseEstimator": "takes the attributes over and warns about other versions",
    "sklearn.isotonic.IsotonicRegression": "takes the attributes over and builds its interpolation from numbers",
    "sklearn.utils._bunch.Bunch": "does nothing",
    "sklearn._loss.link.BaseLink": "takes the attributes over",
    "numpy.polynomial._polybase.ABCPolyBase": "takes the attributes over",
    "numpy.ma.MaskedArray": "fills an array and its mask",
    "numpy.ma.core.MaskedArray": "fills an array and its mask",
    "numpy.ma.mrecords.MaskedRecords": "fills an array and its mask",
    "numpy.generic": "numpy's own, refuses any state",
    "numpy.dtype": "numpy's own, describes numbers",
    "numpy.ndarray": "numpy's own, fills an array",
    "scipy.sparse._coo.coo_matrix": "takes the attributes over under their new names",
    "scipy.interpolate._rbfinterp.RBFInterpolator": "takes the attributes over and builds a tree of points",
    "builtins.BaseException": "Python's own, sets attributes",
    "torch.nn.modules.module.Module": "takes the attributes over and adds empty tables of hooks",
    "torch.nn.modules.conv._ConvNd": "adds a missing padding mode",
    "torch.nn.modules.rnn.RNNBase": "collects its weights by name",
    "torch.nn.modules.activation.MultiheadAttention": "adds a missing flag",
    "torch.nn.modules.activation.Softmax": "adds a missing dimension",
    "torch.nn.modules.activation.LogSoftmax": "adds a missing dimension",
    "torch.nn.modules.activation.Softmin": "adds a missing dimension",
    "torch.nn.modules.upsampling.Upsample": "adds a missing flag",
    "torch.nn.modules.pooling.AvgPool3d": "adds missing flags",
    "torch.nn.modules.transformer.TransformerDecoderLayer": "adds a missing activation",
    "torch.nn.modules.transformer.TransformerEncoderLayer": "adds a missing activation",
    "torch.optim.optimizer.Optimizer": "takes the attributes over and wraps its own step",
    **{f"torch.optim.{each}": "adds missing options to its groups" for each in (
        "adadelta.Adadelta", "adagrad.Adagrad", "adam.Adam", "adamax.Adamax", "adamw.AdamW", "asgd.ASGD",
        "nadam.NAdam", "radam.RAdam", "rmsprop.RMSprop", "rprop.Rprop", "sgd.SGD", "Adafactor",
    )},
    "torchmetrics.metric.Metric": "takes the attributes over and wraps its own update",
    "transformers.tokenization_utils_base.BatchEncoding": "takes two attributes over",
    "transformers.feature_extraction_utils.BatchFeature": "takes one attribute over",
    "xgboost.core.Booster": "gives the model's bytes to the library's own reader",
    "lightgbm.basic.Booster": "gives the model's text to its own reader",
    "catboost.core._CatBoostBase": "gives the model's bytes to its own reader and keeps its settings",
    "lightgbm.engine.CVBooster": "takes the attributes over",
    "pandas.core.generic.NDFrame": "takes the blocks and attributes over",
    "pandas.core.arrays.sparse.array.SparseArray": "takes two arrays over",
    "pandas.core.internals.managers.BlockManager": "takes the blocks over",
    "pandas.core.indexes.base.Index": "refuses",
}  # fmt: skip
DEL = {
    "xgboost.core.Booster": "frees its own handle, which the state cannot set",
    "lightgbm.basic.Booster": "frees its own handle, which the state cannot set",
}
SETATTR = {
    "torch.nn.modules.module.Module": "sorts values into tables by their type",
    "torch.nn.modules.rnn.RNNBase": "the same, and remembers the weights",
    "torchmetrics.metric.Metric": "refuses constants and sorts values",
    "torchmetrics.wrappers.classwise.ClasswiseWrapper": "refuses constants and sorts values",
    "builtins.BaseException": "Python's own",
    "transformers.utils.generic.ModelOutput": "sets a key too",
    "transformers.configuration_utils.PreTrainedConfig": "renames attributes by a table of the class",
    "torch.utils.data.dataloader.DataLoader": "refuses some names",
    "pandas.core.generic.NDFrame": "sets a column where there is one",
    "lightning.fabric.utilities.data.AttributeDict": "sets a key",
    "sklearn.utils._bunch.Bunch": "sets a key",
}
GETATTR = {
    "torch.nn.modules.module.Module": "looks into its tables",
    "torchmetrics.wrappers.classwise.ClasswiseWrapper": "asks the metric it holds",
    "transformers.tokenization_utils_base.BatchEncoding": "looks into its data",
    "transformers.feature_extraction_utils.BatchFeature": "looks into its data",
    "pandas.core.generic.NDFrame": "looks for a column",
    "sklearn.utils._bunch.Bunch": "looks for a key",
    "lightning.fabric.utilities.data.AttributeDict": "looks for a key",
    "accelerate.state.PartialState": "only says what is missing",
    "accelerate.state.AcceleratorState": "only says what is missing",
    "sklearn.frozen._frozen.FrozenEstimator": "asks the estimator it holds",
}
GETATTRIBUTE = {
    "transformers.configuration_utils.PreTrainedConfig": "renames attributes by a table of the class",
    "transformers.integrations.heterogeneity.configuration_utils.HeterogeneousConfigMixin": "looks into a table",
}
NEVER_BELOW = ("IOBase", "_CData", "Pickler", "Unpickler", "type", "Thread", "Process", "local", "Module_")
NOT_HERE = (
    "tests", "testing", "conftest", "test", "__main__", "_testing", "_TempFile", "externals", "distutils", "f2py",
    "datasets", "callback", "datapipes", "plotting", "commands",
)  # fmt: skip
COMPILED = ("sklearn.", "scipy.sparse.", "scipy.spatial.", "scipy.interpolate.", "pandas._libs.", "numpy.random.")
NAMES_OF = (
    "sklearn.metrics", "sklearn.cluster", "sklearn.decomposition", "sklearn.manifold", "sklearn.linear_model",
    "sklearn.ensemble", "sklearn.svm", "sklearn.neighbors", "sklearn.covariance", "sklearn.feature_selection",
    "sklearn.feature_extraction", "sklearn.preprocessing", "sklearn.gaussian_process", "sklearn.neural_network",
    "sklearn.utils.validation", "torch.nn.functional", "torch.nn.init", "transformers.trainer_pt_utils",
    "transformers.data.data_collator", "transformers.activations",
)  # fmt: skip
"""Packages whose functions may stand in a file as values; they are not called while it loads."""
LEFT_OUT = (
    "pandas.io", "pandas.core.computation", "pandas._libs.parsers", "pandas._libs.sas", "pandas._version",
    "pandas.util", "pandas._config", "torch.library", "torch.distributed", "torch.overrides", "torch._opaque",
    "torch.utils.flop_counter", "torch.nn.cpp", "numpy.lib._datasource", "numpy._pytesttester", "numpy._typing",
    "numpy.typing", "numpy.compat", "numpy.array_api", "numpy.ma.timer", "numpy._core._internal",
    "numpy.core._internal", "transformers.utils", "transformers.debug_utils", "scipy._lib", "lightgbm.compat",
)  # fmt: skip
"""They read files, build code, or have no business in a model."""
