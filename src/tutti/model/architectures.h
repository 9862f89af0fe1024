// The functions that describe the architectures; each lives in the file of its name.
#pragma once
#include "tutti/model/architecture.h"

namespace tutti::model {

Architecture Llama();
Architecture Mistral();
Architecture Mixtral();
Architecture Qwen2();
Architecture Qwen3();
Architecture Qwen2Moe();
Architecture Qwen3Moe();
Architecture Olmoe();
Architecture DeepseekV2();
Architecture DeepseekV3();
Architecture Glm4Moe();
Architecture MinimaxM2();
Architecture HunyuanMoe();
Architecture GptOss();
Architecture Ernie45Moe();

}  // namespace tutti::model
